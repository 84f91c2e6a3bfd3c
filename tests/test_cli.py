"""The commands as a user types them."""

import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import SAMPLE

from poseprep.store import KeypointStore
from slr_toolkit.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slr():
    def run(*words):
        return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory, slr):
    """`slr extract` of two sample clips and one broken file, as a user would run it."""
    folder = tmp_path_factory.mktemp("user")
    for source in sorted((SAMPLE / "videos").rglob("*.mp4"))[:2]:
        target = folder / "videos" / source.relative_to(SAMPLE / "videos")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    (folder / "videos" / "broken.mp4").touch()
    result = slr("extract", folder / "videos", folder / "out.h5")
    assert result.exit_code == 3, result.output
    (folder / "output.txt").write_text(result.output)
    return folder


def test_extract_says_what_lies_ahead_and_what_came_of_it(folder):
    output = (folder / "output.txt").read_text()
    assert "3 videos, about" in output
    assert "2 clips" in output
    assert "frames with: body" in output
    assert "broken.mp4: the file is empty" in output


def test_a_finished_store_is_not_touched_again(folder, slr):
    before = (folder / "out.h5").read_bytes()
    result = slr("extract", folder / "videos", folder / "out.h5")
    assert result.exit_code == 3  # its problem is one still
    assert "2 clips done already, 1 known problem (--retry-problems tries again)" in result.output
    assert "broken.mp4: the file is empty" in result.output
    assert (folder / "out.h5").read_bytes() == before


def test_strict_stops_and_says_at_what(folder, slr):
    result = slr("extract", folder / "videos", folder / "out.h5", "--strict")
    assert result.exit_code == 3
    assert "as --strict asks. broken.mp4: the file is empty\n" in result.output


def test_other_settings_are_refused_in_few_words(folder, slr):
    result = slr("extract", folder / "videos", folder / "out.h5", "--face", "none")
    assert result.exit_code == 2
    assert "(there → now): settings.face: full → none. Use the same" in result.output


def test_info_describes_the_store(folder, slr):
    result = slr("info", folder / "out.h5")
    assert result.exit_code == 0
    for expected in ("2 clips", "mediapipe 0.10.21", "543", "broken.mp4: the file is empty"):
        assert expected in result.output
    listed = slr("info", folder / "out.h5", "--clips")
    with KeypointStore(folder / "out.h5") as store:
        assert [line.split("\t")[0] for line in listed.output.splitlines()] == store.keys


def test_show_draws_a_contact_sheet(folder, slr, tmp_path):
    with KeypointStore(folder / "out.h5") as store:
        key = store.keys[0]
    result = slr("show", folder / "out.h5", key, "-o", tmp_path / "sheet.png")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["extract", "nowhere", "out.h5"], "expected a folder of videos"),
        (["info", "nowhere.h5"], "no such file"),
        (["show", "{store}", "nobody.mp4"], "no clip 'nobody.mp4'"),
        (["extract", "{videos}", "out.h5", "--labels", "none.csv"], "cannot be read"),
        (
            ["extract", "{videos}", "out.h5", "--fps", "0"],
            "--fps: expected a number, at least 0.001, found 0.0",
        ),
        (["extract", "{videos}", "out.h5", "--fps", "nan"], "found nan"),
        (["extract", "{videos}", "out.hdf"], "ending in .h5"),
        (["info", "{videos}"], "a file ending in .h5; this is a folder"),
    ],
)
def test_a_users_mistake_gets_one_clear_message(folder, slr, words, message):
    places = {"store": folder / "out.h5", "videos": folder / "videos"}
    result = slr(*(word.format(**places) for word in words))
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("name", ["v2.mp4", "v2.h5"])
def test_overwriting_replaces_stores_only(tmp_path, slr, make_video, name):
    first, second = make_video("v1.mp4"), make_video("v2.mp4").rename(tmp_path / name)
    before = second.read_bytes()
    result = slr("extract", first, second, "--overwrite")
    assert result.exit_code == 2
    assert second.read_bytes() == before


def test_a_length_that_nobody_knows_is_not_called_0_seconds(tmp_path, slr):
    (tmp_path / "a.mp4").touch()
    result = slr("extract", tmp_path / "a.mp4", tmp_path / "out.h5")
    assert result.exit_code == 3
    assert "not known beforehand" in result.output
    assert result.output.count("a.mp4: the file is empty") == 1


def test_labels_change_without_another_extraction(folder, slr, tmp_path):
    store = shutil.copy(folder / "out.h5", tmp_path / "out.h5")
    with KeypointStore(store) as opened:
        keys = opened.keys
    table = tmp_path / "labels.csv"
    table.write_text(f"clip,sign,signer\n{keys[0]},HELLO,anna\ngone.mp4,BYE,ben\n")
    result = slr("label", store, table)
    assert result.exit_code == 0, result.output
    assert "1 row without a video: gone.mp4" in result.output
    assert f"1 video without a row: {keys[1]}" in result.output
    with KeypointStore(store) as opened:
        assert opened.signs.tolist() == ["HELLO", ""]
        assert opened.signers.tolist() == ["anna", ""]


def test_nobody_in_the_picture_is_stored_and_told(tmp_path, slr, make_video):
    path = make_video("grey.mp4", frames=4)
    result = slr("extract", path, tmp_path / "out.h5")
    assert result.exit_code == 0, result.output
    assert "nobody was found in 1 clip: grey.mp4" in result.output
    with KeypointStore(tmp_path / "out.h5") as store:
        clip = store.clip("grey.mp4")
    assert np.isnan(clip.points).all()
    assert (clip.source == 0).all()
