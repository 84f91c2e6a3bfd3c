"""A store as one tensor."""

from pathlib import Path

import numpy as np
import pytest
from sslmodel_corpus import HAND, SMALL, write_store

from poseprep.errors import InputError
from poseprep.skeleton import HOLISTIC, SIGNING
from poseprep.store import KeypointStore
from sslmodel.config import InputConfig
from sslmodel.dataset import common_skeleton, load
from sslmodel.features import raw_coordinates


def test_the_points_read_are_those_of_signing_that_the_store_has(tmp_path: Path) -> None:
    small = write_store(tmp_path / "a.h5", SMALL, signs=1, signers=1)
    whole = write_store(tmp_path / "b.h5", HOLISTIC, signs=1, signers=1)
    assert set(common_skeleton([whole]).names) == set(SIGNING)
    assert set(common_skeleton([whole, small]).names) == set(SMALL.names) & set(SIGNING)


def test_every_clip_has_its_windows_in_order(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", SMALL, frames=60)
    data = load(path, SMALL, InputConfig(frames=8, window_seconds=1.0))
    assert len(data) == 18
    assert data.points.shape == (18 * 3, 8, len(SMALL), 2)
    assert data.clip.tolist() == np.repeat(np.arange(18), 3).tolist()
    chosen = np.zeros(18, bool)
    chosen[4] = True
    assert data.windows_of(chosen).tolist() == [12, 13, 14]
    assert raw_coordinates(data).shape == (18, 8 * len(SMALL) * 3)


def test_the_labels_come_with_the_clips(tmp_path: Path) -> None:
    data = load(write_store(tmp_path / "a.h5", split="train"), SMALL, InputConfig())
    assert data.keys[7] == "sign1/signer1.mp4"
    assert data.signs[7] == "sign1"
    assert data.signers[7] == "signer1"
    assert set(data.splits) == {"train"}


def test_a_clip_without_a_person_is_kept_and_known(tmp_path: Path) -> None:
    hands = HOLISTIC.select([*HAND.names])
    data = load(write_store(tmp_path / "a.h5", hands, lost=1.1), hands, InputConfig())
    assert len(data) == 18
    assert not data.person.any()


def test_a_store_of_other_points_is_refused(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", HAND, signs=1, signers=1)
    with pytest.raises(InputError, match=r"reads 49 points, of which this store has not 28"):
        load(path, SMALL, InputConfig())
    feet = write_store(tmp_path / "b.h5", HOLISTIC.select(["left_heel", "right_heel"]), signs=1)
    with pytest.raises(InputError, match="matched by name"):
        common_skeleton([feet])


def test_an_empty_store_is_refused(tmp_path: Path) -> None:
    with KeypointStore.create(tmp_path / "a.h5", skeleton=SMALL):
        pass
    with pytest.raises(InputError, match="holds no clip"):
        load(tmp_path / "a.h5", SMALL, InputConfig())
