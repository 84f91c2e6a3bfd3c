from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from poseprep.errors import InputError, VideoError
from poseprep.find import Video
from poseprep.overlay import contact_sheet, draw_skeleton, locate_video, write_image
from poseprep.skeleton import HOLISTIC


def test_a_missing_part_is_not_drawn(make_clip):
    clip = make_clip()
    hand = np.zeros(len(HOLISTIC), bool)
    hand[HOLISTIC.parts["left_hand"]] = True
    for frame, drawn in ((0, True), (2, False)):
        picture = np.zeros((480, 640, 3), np.uint8)
        draw_skeleton(picture, clip.pixels[frame], hand & (clip.confidence[frame] > 0), HOLISTIC)
        assert picture.any() == drawn


def test_points_are_drawn_where_they_are():
    skeleton = HOLISTIC.select(["nose"])
    picture = np.zeros((100, 200, 3), np.uint8)
    draw_skeleton(picture, np.array([[150.0, 20.0]]), np.array([True]), skeleton)
    rows, columns = np.nonzero(picture.any(axis=-1))
    assert abs(rows.mean() - 20) < 0.6
    assert abs(columns.mean() - 150) < 0.6


def test_a_sheet_shows_the_video_under_the_skeleton(make_clip, make_video):
    path = make_video("a.mp4", frames=8, size=(64, 48))
    clip = make_clip(width=64, height=48)
    with_video = contact_sheet(clip, Video("a.mp4", path), tiles=4)
    without = contact_sheet(clip, None, tiles=4)
    assert with_video.shape == without.shape
    assert (with_video != without).any()


def test_a_segment_is_shown_with_the_frames_of_its_own_time(make_clip, make_video):
    path = make_video("a.mp4", frames=10, size=(64, 48))  # frame i is of grey 10 · i
    whole = make_clip("a.mp4#0.200-0.360", frames=4, width=64, height=48)
    nobody = replace(
        whole,
        points=np.full_like(whole.points, np.nan),
        confidence=np.zeros_like(whole.confidence),
        time=0.2 + np.arange(4) / 25,
    )
    sheet = contact_sheet(nobody, Video("a.mp4", path))
    assert sheet[180, 240].mean() == pytest.approx(50, abs=4.9)  # its neighbours are 40 and 60


def test_a_key_cannot_lead_out_of_the_folder(make_clip, make_video, tmp_path):
    make_video("secret.mp4")
    make_video("videos/a.mp4")
    for key in ("../secret.mp4", "a/../../secret.mp4", str(tmp_path / "secret.mp4")):
        with pytest.raises(InputError, match="but not"):
            locate_video(make_clip(key), tmp_path / "videos")


def test_a_video_that_is_gone_is_told(make_clip, make_video, tmp_path):
    with pytest.raises(InputError, match="--videos.*--no-video"):
        locate_video(make_clip("gone.mp4"), tmp_path)
    make_video("v/other.mp4")
    with pytest.raises(InputError, match=r"not 'gone\.mp4'.*--videos.*--no-video"):
        locate_video(make_clip("gone.mp4"), tmp_path / "v")


def test_a_video_that_was_moved_may_be_named_itself(make_clip, make_video):
    path = make_video("renamed.mp4")
    assert locate_video(make_clip("old.mp4"), path).path == path


def test_another_size_is_another_video(make_clip, make_video):
    path = make_video("a.mp4", size=(64, 48))
    with pytest.raises(VideoError, match=r"a\.mp4: 64×48 pixels.*640×480"):
        contact_sheet(make_clip(), Video("a.mp4", path))


def test_a_video_that_cannot_be_read_is_named(make_clip, tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(VideoError, match=r"a\.mp4: the file is empty"):
        contact_sheet(make_clip(), Video("a.mp4", tmp_path / "a.mp4"))


@pytest.mark.parametrize("size", [(2**20, 1), (1, 2**20), (0, 0)])
def test_a_sheet_of_an_absurd_picture_has_a_sane_size(make_clip, size):
    sheet = contact_sheet(make_clip(width=size[0], height=size[1]), None, tiles=4)
    assert max(sheet.shape) <= 4 * 1280


def test_only_pictures_are_written_as_pictures(tmp_path):
    with pytest.raises(InputError, match=r"sheet\.png"):
        write_image(tmp_path / "sheet.txt", np.zeros((2, 2, 3), np.uint8))
    write_image(Path(tmp_path / "sheet.png"), np.zeros((2, 2, 3), np.uint8))
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
