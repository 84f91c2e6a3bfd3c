"""A store as one tensor."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sslmodel_corpus import HAND, SMALL, write_store

from poseprep.errors import InputError
from poseprep.skeleton import HOLISTIC, SIGNING
from poseprep.store import KeypointStore
from sslmodel.config import EncoderConfig, InputConfig
from sslmodel.dataset import common_skeleton, load
from sslmodel.encoder import Encoder
from sslmodel.features import encode, raw_coordinates


def test_the_points_read_are_those_of_signing_that_the_store_has(tmp_path: Path) -> None:
    small = write_store(tmp_path / "a.h5", SMALL, signs=1, signers=1)
    whole = write_store(tmp_path / "b.h5", HOLISTIC, signs=1, signers=1)
    assert set(common_skeleton([whole]).names) == set(SIGNING)
    assert set(common_skeleton([whole, small]).names) == set(SMALL.names) & set(SIGNING)


def test_every_clip_has_its_windows_in_order(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.h5", SMALL, frames=60)
    data = load(path, SMALL, InputConfig(frames=8, window_seconds=1.0))
    assert len(data) == 18
    assert data.points.shape == (18 * 3, 8, len(SMALL), 3)
    assert data.clip.tolist() == np.repeat(np.arange(18), 3).tolist()
    chosen = np.zeros(18, bool)
    chosen[4] = True
    assert data.windows_of(chosen).tolist() == [12, 13, 14]
    assert raw_coordinates(data).shape == (18, 8 * len(SMALL) * 3)


def test_depth_is_there_for_views_and_nobody_else_reads_it(tmp_path: Path) -> None:
    data = load(write_store(tmp_path / "a.h5", SMALL), SMALL, InputConfig(frames=8))
    deeper = data.points.clone()
    deeper[..., 2] += 5 * data.seen
    other = replace(data, points=deeper)
    np.testing.assert_array_equal(raw_coordinates(data), raw_coordinates(other))
    encoder = Encoder(SMALL, EncoderConfig(features=16, point_channels=4))
    encoder.fit_input(data.points, data.seen)
    np.testing.assert_array_equal(encode(encoder, data), encode(encoder, other))


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


def test_points_that_a_store_lacks_are_nowhere_seen(tmp_path: Path) -> None:
    hands = write_store(tmp_path / "a.h5", HAND, signs=1, signers=2)
    whole, alone = load(hands, SMALL, InputConfig()), load(hands, HAND, InputConfig())
    where = SMALL.indices(HAND.names)
    others = np.delete(np.arange(len(SMALL)), where)
    assert whole.missing == tuple(np.array(SMALL.names)[others])
    assert alone.missing == ()
    assert torch.equal(whole.points[:, :, where], alone.points)
    assert torch.equal(whole.seen[:, :, where], alone.seen)
    assert not whole.seen[:, :, others].any()
    assert not whole.points[:, :, others].any()


def test_a_store_that_shares_no_point_is_refused(tmp_path: Path) -> None:
    face = write_store(tmp_path / "a.h5", HOLISTIC.select(["face_2"]), signs=1, signers=1)
    with pytest.raises(InputError, match="has none of the 49 points"):
        load(face, SMALL, InputConfig())


def test_an_empty_store_is_refused(tmp_path: Path) -> None:
    with KeypointStore.create(tmp_path / "a.h5", skeleton=SMALL):
        pass
    with pytest.raises(InputError, match="holds no clip"):
        load(tmp_path / "a.h5", SMALL, InputConfig())
