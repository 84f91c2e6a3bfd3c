"""Where a corpus is drawn: never over what somebody else put there."""

import os

import numpy as np
import pytest
from click.testing import CliRunner

from poseprep.errors import InputError
from poseprep.signer.corpus import Corpus, render_corpus
from poseprep.signer.disk import MARKER, claim_folder, write_video
from slr_toolkit.cli import main

TINY = Corpus(signs=1, signers=1, width=64, height=64)
KEY = TINY.takes()[0].key


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "names",
    [["labels.csv"], ["videos/mine.mp4"], [f"videos/{KEY}"], ["truth.h5"], ["notes.txt"]],
)
def test_a_folder_of_somebody_else_is_refused_and_left_alone(tmp_path, names):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(InputError, match="choose another folder"):
        render_corpus(tmp_path, TINY, workers=1)
    shown = CliRunner().invoke(main, ["demo", "--out", str(tmp_path)])
    assert shown.exit_code == 2
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["a.mp4", "x/y/z.mp4", f"{KEY}.txt", "notes.txt"])
def test_a_strange_file_among_our_videos_is_refused_and_all_is_left_alone(tmp_path, name):
    claim_folder(tmp_path, {KEY})
    for place in ("labels.csv", f"videos/{name}"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(InputError, match="nothing but this corpus"):
        render_corpus(tmp_path, TINY, workers=1)
    assert contents(tmp_path) == before


def test_a_corpus_is_drawn_again_in_its_own_folder(tmp_path):
    for _ in range(2):
        render_corpus(tmp_path, TINY, workers=1)
        (tmp_path / "keypoints.h5").touch()  # what else the demo puts there
        assert not (tmp_path / MARKER).exists()
    tables = {"labels.csv", "signs.csv"}
    assert set(contents(tmp_path)) == {"keypoints.h5", *tables, "truth.h5", f"videos/{KEY}"}


def test_a_corpus_is_drawn_again_after_it_was_interrupted(tmp_path):
    claim_folder(tmp_path, {KEY})
    folder = (tmp_path / "videos" / KEY).parent
    folder.mkdir(parents=True)
    (folder / ".signer1_1.99999999.tmp.mp4").write_bytes(b"half")
    (tmp_path / ".truth.h5.99999999.tmp").write_bytes(b"half")
    render_corpus(tmp_path, TINY, workers=1)
    tables = {"labels.csv", "signs.csv"}
    assert set(contents(tmp_path)) == {*tables, "truth.h5", f"videos/{KEY}"}


@pytest.mark.parametrize("name", ["out.txt", "out/videos"])
def test_a_file_is_no_folder_to_draw_into(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    shown = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / name.split("/")[0])])
    assert shown.exit_code == 2
    assert "found a file" in shown.output
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("sizes", [["--signs", "1"], ["--signers", "2"], ["--reps", "0"]])
def test_a_demo_that_could_not_be_scored_is_refused_before_it_is_drawn(tmp_path, sizes):
    shown = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "demo"), *sizes])
    assert shown.exit_code == 2
    assert not (tmp_path / "demo").exists()


def test_a_video_that_has_no_room_is_told_and_leaves_nothing(tmp_path):
    os.symlink("/dev/full", tmp_path / f".a.{os.getpid()}.tmp.mp4")
    frames = [np.zeros((64, 64, 3), np.uint8)] * 3
    with pytest.raises(InputError, match=r"a\.mp4: the video cannot be written"):
        write_video(tmp_path / "a.mp4", frames, 25.0)
    assert list(tmp_path.iterdir()) == []


def test_what_stops_the_drawing_is_told_to_the_user(tmp_path):
    sign = KEY.split("/")[0]
    claim_folder(tmp_path, {KEY})
    (tmp_path / "videos").mkdir()
    os.symlink(tmp_path / "nowhere" / "deep", tmp_path / "videos" / sign)
    with pytest.raises(InputError):
        render_corpus(tmp_path, TINY, workers=1)
