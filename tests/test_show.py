"""`slr show`, on stores made here."""

import pytest
from click.testing import CliRunner

from poseprep.store import KeypointStore
from slr_toolkit.cli import main


@pytest.fixture
def show(tmp_path, make_clip):
    """Stores a clip of 64×48 pixels as extracted from below `videos`, and shows it."""

    def run(key, *words, videos=None):
        with KeypointStore.create(tmp_path / "out.h5", videos=videos) as store:
            store.add(make_clip(key, width=64, height=48))
        words = ["show", tmp_path / "out.h5", key, "-o", tmp_path / "sheet.png", *words]
        return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)

    return run


def test_the_video_is_found_where_it_lay(show, make_video, tmp_path):
    make_video("videos/a/x.mp4")
    assert show("a/x.mp4", videos=tmp_path / "videos").exit_code == 0
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("key", ["clip", "a/clip"])
def test_a_folder_of_images_is_shown(show, make_images, tmp_path, key):
    """Given itself, when its name is the key, or found below the folder given."""
    make_images(tmp_path / "videos" / key, 8, size=(64, 48))
    root = tmp_path / "videos" / (key if key == "clip" else "")
    shown = show(key, videos=root)
    assert shown.exit_code == 0, shown.output


def test_a_store_without_a_folder_of_videos_is_shown_without_them(show):
    assert show("x.mp4", "--no-video").exit_code == 0
    shown = show("x.mp4")
    assert shown.exit_code == 2
    assert "give --videos" in shown.output


def test_a_broken_video_is_named(show, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "x.mp4").write_text("no video")
    shown = show("x.mp4", videos=tmp_path / "videos")
    assert shown.exit_code == 2
    assert "videos/x.mp4: not a video" in shown.output


@pytest.mark.parametrize("name", ["evil\x1b[2J\x07.mp4", "caf\udce9.mp4"])
def test_a_name_cannot_garble_the_terminal(tmp_path, name):
    (tmp_path / name).write_text("x")
    for words in (["info", tmp_path / name], ["extract", tmp_path / name, tmp_path / "out.txt"]):
        shown = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
        assert shown.exit_code == 2
        assert "\\x" in shown.output or words[0] == "extract"
        assert shown.output.replace("\n", "").isprintable()


def test_keys_and_reasons_are_printed_so_that_the_terminal_stays_whole(tmp_path, make_clip):
    with KeypointStore.create(tmp_path / "out.h5") as store:
        store.add(make_clip("a\tb\x1b[31m.mp4", sign="x\ny", signer="z\r"))
        store.add_problem("c\x1b.mp4", "why\nnot")
    for words in (["info"], ["info", "--clips"]):
        shown = CliRunner().invoke(main, [*words, str(tmp_path / "out.h5")])
        assert shown.exit_code == 0
        assert not set("\x1b\r") & set(shown.output)
    assert shown.output.count("\n") == 1
    assert shown.output.count("\t") == 4
