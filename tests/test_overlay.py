from pathlib import Path

import numpy as np
import pytest

from poseprep.errors import InputError
from poseprep.overlay import contact_sheet, draw_skeleton, locate_video, write_image
from poseprep.skeleton import HOLISTIC
from poseprep.video import Video


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


def test_a_key_cannot_lead_out_of_the_folder(make_clip, tmp_path):
    for key in ("../secret.mp4", "a/../../secret.mp4", "/etc/secret.mp4"):
        with pytest.raises(InputError, match="leads out"):
            locate_video(make_clip(key), tmp_path)


def test_a_video_that_is_gone_is_told(make_clip, tmp_path):
    with pytest.raises(InputError, match="--videos"):
        locate_video(make_clip("gone.mp4"), tmp_path)


def test_only_pictures_are_written_as_pictures(tmp_path):
    with pytest.raises(InputError, match=r"sheet\.png"):
        write_image(tmp_path / "sheet.txt", np.zeros((2, 2, 3), np.uint8))
    write_image(Path(tmp_path / "sheet.png"), np.zeros((2, 2, 3), np.uint8))
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
