"""Looking up a sign by a clip or a video."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sslmodel_corpus import HAND, write_store
from test_pretrain import TINY

from poseprep.errors import InputError
from poseprep.signer.corpus import Corpus, render_corpus
from poseprep.store import KeypointStore
from sslmodel.pretrain import pretrain
from sslmodel.search import draw_matches, search


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "a.h5", signs=5)


@pytest.fixture(scope="module")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    pretrain(TINY, [store], folder, progress=False)
    return folder


def test_the_nearest_sign_is_the_clips_own_and_every_sign_stands_once(
    run: Path, store: Path
) -> None:
    key = "sign2/signer3.mp4"
    matches = search(run, store, key).matches
    assert matches[0].sign == "sign2"
    assert matches[0].key != key
    assert sorted(match.sign for match in matches) == [f"sign{i}" for i in range(5)]
    similarity = [match.similarity for match in matches]
    assert similarity == sorted(similarity, reverse=True)
    assert max(similarity) <= 1 + 1e-6
    assert len(search(run, store, key, count=2).matches) == 2


def test_the_querys_own_signer_can_be_left_out(run: Path, store: Path) -> None:
    found = search(run, store, "sign2/signer3.mp4", other_signers=True)
    assert all(match.signer != "signer3" for match in found.matches)


def test_copies_of_the_query_are_no_matches(run: Path, store: Path, tmp_path: Path) -> None:
    with KeypointStore(store) as opened:
        clips = list(opened.clips())
    key = "sign2/signer3.mp4"
    copy = next(replace(clip, key="copy.mp4", sign="copied") for clip in clips if clip.key == key)
    with KeypointStore.create(tmp_path / "a.h5", clips[0].skeleton) as writer:
        for clip in sorted([*clips, copy], key=lambda clip: clip.key):
            writer.add(clip)
    signs = [match.sign for match in search(run, tmp_path / "a.h5", key).matches]
    assert "copied" not in signs
    assert len(signs) == 5


def test_clips_that_show_nobody_are_no_matches_and_no_query(run: Path, tmp_path: Path) -> None:
    store = write_store(tmp_path / "a.h5", HAND, signs=3, lost=0)
    with KeypointStore(store) as opened:
        clips = list(opened.clips())
    with KeypointStore.create(tmp_path / "b.h5", HAND) as writer:
        for clip in clips:
            gone = clip.key.endswith("signer2.mp4")
            nobody = {
                "points": np.full_like(clip.points, np.nan),
                "confidence": np.zeros_like(clip.confidence),
                "source": np.zeros_like(clip.source),
            }
            writer.add(replace(clip, **nobody) if gone else clip)
    found = search(run, tmp_path / "b.h5", "sign0/signer0.mp4", count=20)
    assert not any(match.key.endswith("signer2.mp4") for match in found.matches)
    assert "28 of the encoder's 49 points are not in" in found.notes[0]
    with pytest.raises(InputError, match="shows nobody"):
        search(run, tmp_path / "b.h5", "sign0/signer2.mp4")


def test_an_unknown_signer_cannot_be_left_out(run: Path, tmp_path: Path) -> None:
    store = write_store(tmp_path / "a.h5", signer="")
    found = search(run, store, "sign0/signer0.mp4", other_signers=True)
    assert any("nobody was left out" in note for note in found.notes)


def test_clips_without_a_sign_stand_for_themselves(run: Path, tmp_path: Path) -> None:
    store = write_store(tmp_path / "a.h5", signs=2, signers=3, sign="")
    matches = search(run, store, "sign0/signer0.mp4").matches
    assert len(matches) == len({match.key for match in matches}) == 5


def test_a_clip_of_the_store_needs_no_networks(run: Path, store: Path) -> None:
    with pytest.raises(InputError, match="--model: expected with a video"):
        search(run, store, "sign2/signer3.mp4", model=Path("a.task"))


def test_what_cannot_be_looked_up_is_told(run: Path, store: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clip 'signer3'.*did you mean"):
        search(run, store, "signer3")
    no_video = tmp_path / "a.mp4"
    no_video.write_bytes(b"nothing")
    with pytest.raises(InputError):
        search(run, store, str(no_video))
    alone = write_store(tmp_path / "b.h5", signs=1, signers=1)
    with pytest.raises(InputError, match="no other clip"):
        search(run, alone, "sign0/signer0.mp4")


@pytest.mark.slow
def test_a_video_is_looked_up_and_drawn(run: Path, store: Path, tmp_path: Path) -> None:
    (key,) = render_corpus(tmp_path / "drawn", Corpus(signs=1, signers=1), workers=1)
    found = search(run, store, str(tmp_path / "drawn/videos" / key))
    assert len(found.matches) == 5
    assert np.isfinite([match.similarity for match in found.matches]).all()
    assert "landmarker made up" in found.notes[0]
    draw_matches(found, store, tmp_path / "search.png")
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")
