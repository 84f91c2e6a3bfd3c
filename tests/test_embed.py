"""Embeddings of clips and of stores."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from sslmodel_corpus import HAND, SMALL, write_store
from test_pretrain import TINY

from poseprep.clip import Clip
from poseprep.errors import InputError
from poseprep.skeleton import HOLISTIC
from poseprep.store import KeypointStore
from sslmodel import load_encoder
from sslmodel.checkpoint import read_encoder
from sslmodel.dataset import load
from sslmodel.embed import embed
from sslmodel.features import encode
from sslmodel.pretrain import pretrain


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "a.h5", frames=30)


@pytest.fixture(scope="module")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    # Clips of 1.2 s are cut into three windows.
    config = replace(TINY, input=replace(TINY.input, window_seconds=0.5))
    pretrain(config, [store], folder, progress=False)
    return folder


def test_a_clip_is_embedded_as_its_store_is(run: Path, store: Path) -> None:
    encoder, settings = read_encoder(run)
    expected = encode(encoder, load(store, encoder.skeleton, settings))
    with KeypointStore(store) as opened:
        clips = list(opened.clips())
    encode_clips = load_encoder(run)
    np.testing.assert_allclose(encode_clips(clips), expected, atol=1e-5)
    np.testing.assert_allclose(encode_clips(clips[3]), expected[3], atol=1e-5)
    assert encode_clips([]).shape == (0, expected.shape[1])


def test_a_clip_without_the_encoders_points_is_refused(run: Path) -> None:
    face = HOLISTIC.select(["face_2"])
    clip = Clip("a", np.zeros((1, 1, 3), np.float32), np.ones((1, 1), np.float32), np.zeros(1),
                np.ones((1, 1), np.uint8), 0, 0, skeleton=face)  # fmt: skip
    with pytest.raises(InputError, match="none of the 49 points"):
        load_encoder(run)(clip)


@pytest.mark.parametrize("ending", [".h5", ".npz"])
def test_a_store_is_embedded_with_keys_and_labels(
    ending: str, run: Path, store: Path, tmp_path: Path
) -> None:
    made = embed(run, store, tmp_path / f"e{ending}")
    encoder, settings = read_encoder(run)
    dataset = load(store, encoder.skeleton, settings)
    if ending == ".h5":
        with h5py.File(made.out) as file:
            found = file["embeddings"][:]
            columns = {name: file[name].asstr()[:] for name in ("key", "sign", "signer", "split")}
            about = dict(file.attrs)
    else:
        with np.load(made.out, allow_pickle=False) as file:
            found = file["embeddings"]
            columns = {name: file[name] for name in ("key", "sign", "signer", "split")}
            about = {name: str(file[name]) for name in ("store_sha256", "run")}
    assert (made.clips, made.features) == found.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, encode(encoder, dataset), atol=1e-6)
    assert columns["key"].tolist() == dataset.keys.tolist()
    assert columns["sign"].tolist() == dataset.signs.tolist()
    assert about["store_sha256"] == dataset.content_hash
    assert about["run"] == run.name


def test_what_is_not_there_is_told(run: Path, tmp_path: Path) -> None:
    hands = write_store(tmp_path / "hand.h5", HAND, lost=1.0)
    made = embed(run, hands, tmp_path / "e.npz")
    assert len(made.missing) == len(SMALL) - len(HAND)
    assert made.without_person == made.clips == 18


def test_a_place_that_cannot_be_is_refused(run: Path, store: Path, tmp_path: Path) -> None:
    before = store.read_bytes()
    for out in (store, tmp_path / "e.csv"):
        for overwrite in (False, True):
            with pytest.raises(InputError):
                embed(run, store, out, overwrite)
    assert store.read_bytes() == before
    embed(run, store, tmp_path / "e.npz")
    with pytest.raises(InputError, match="--overwrite"):
        embed(run, store, tmp_path / "e.npz")
    embed(run, store, tmp_path / "e.npz", overwrite=True)
