import math
import os

import cv2
import numpy as np
import pytest

from poseprep.errors import InputError
from poseprep.find import Video, find_video, find_videos, split_key


def test_keys_are_paths_below_the_folder_in_order(make_video, tmp_path):
    for name in ("v/b/2.mp4", "v/a/1.MP4", "v/z.mkv", "v/a/notes.txt", "v/a/.hidden.mp4"):
        make_video(name, frames=1) if name.endswith(("4", "v")) else (tmp_path / name).touch()
    found = find_videos(tmp_path / "v")
    assert [video.key for video in found.videos] == ["a/1.MP4", "b/2.mp4", "z.mkv"]
    assert [path.name for path in found.others] == [".hidden.mp4", "notes.txt"]


def test_one_video_may_be_given_instead_of_a_folder(make_video):
    (video,) = find_videos(make_video("v/b/2.mp4")).videos
    assert video.key == "2.mp4"


def test_images_without_a_frame_rate_ask_for_it(tmp_path, make_images):
    make_images(tmp_path / "clip", 2)
    with pytest.raises(InputError, match="--fps"):
        find_videos(tmp_path)


def test_pictures_beside_videos_are_no_video(make_video, tmp_path):
    make_video("v/a.mp4")
    cv2.imwrite(str(tmp_path / "v" / "thumbnail.jpg"), np.zeros((8, 8, 3), np.uint8))
    found = find_videos(tmp_path / "v")
    assert [video.key for video in found.videos] == ["a.mp4"]
    assert [path.name for path in found.others] == ["thumbnail.jpg"]


def test_links_are_followed_once(make_video, tmp_path):
    make_video("v/a/1.mp4")
    make_video("elsewhere/2.mp4")
    os.symlink(tmp_path / "v", tmp_path / "v" / "a" / "loop")
    os.symlink(tmp_path / "elsewhere", tmp_path / "v" / "b")
    keys = [video.key for video in find_videos(tmp_path / "v").videos]
    assert keys == ["a/1.mp4", "b/2.mp4"]


def test_a_folder_of_many_names_keeps_its_own(make_video, tmp_path):
    """Keys hang on the folders, not on the links to them or on the order of the disk."""
    make_video("v/z/1.mp4")
    os.symlink(tmp_path / "v" / "z", tmp_path / "v" / "a")
    assert [video.key for video in find_videos(tmp_path / "v").videos] == ["z/1.mp4"]


def test_folders_of_images_inside_one_another_are_each_a_video(tmp_path, make_images):
    make_images(tmp_path / "v" / "clip", 2)
    make_images(tmp_path / "v" / "clip" / "depth", 3)
    videos = find_videos(tmp_path / "v", fps=25.0).videos
    assert [(video.key, len(video.images)) for video in videos] == [("clip", 2), ("clip/depth", 3)]


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("talk.mp4", ("talk.mp4", "")),
        ("a/talk.mp4#1.200-2.840", ("a/talk.mp4", "1.200-2.840")),
        ("talk.mp4#1.200-end", ("talk.mp4", "1.200-end")),
        ("images#0.000-2.840", ("images", "0.000-2.840")),
        ("take#1.200-2.840.mp4", ("take#1.200-2.840.mp4", "")),
        ("take#1.200-2.840.mp4#0.500-1.000", ("take#1.200-2.840.mp4", "0.500-1.000")),
        ("talk.mp4#1.2-2.8", ("talk.mp4#1.2-2.8", "")),
        ("#1.200-2.840", ("#1.200-2.840", "")),
        ("a/#1.200-2.840", ("a/#1.200-2.840", "")),
    ],
)
def test_a_key_splits_into_video_and_segment(key, parts):
    assert split_key(key) == parts


def test_no_video_has_the_key_of_a_segment(tmp_path, make_images):
    make_images(tmp_path / "v" / "y", 2)
    make_images(tmp_path / "v" / "y#1.200-2.840", 2)
    keys = [video.key for video in find_videos(tmp_path / "v", fps=25.0).videos]
    assert keys == ["y", "y%231.200-2.840"]
    assert all(split_key(key) == (key, "") for key in keys)


def test_a_segment_leads_to_its_video(make_video, make_images, tmp_path):
    make_video("v/a/talk.mp4")
    make_images(tmp_path / "v" / "y", 2)
    for key in ("a/talk.mp4", "y"):
        assert find_video(tmp_path / "v", f"{key}#0.100-end", 20.0).key == key


def test_a_video_is_found_without_searching_where_its_key_leads(make_video, tmp_path, monkeypatch):
    made = make_video("v/a/1.mp4")
    monkeypatch.setattr("poseprep.find.find_videos", None)
    assert find_video(tmp_path / "v", "a/1.mp4", 20.0) == Video("a/1.mp4", made)


@pytest.mark.parametrize("name", ["nothing-here", "empty", "text.txt"])
def test_a_place_without_videos_says_so(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").touch()
    with pytest.raises(InputError):
        find_videos(tmp_path / name)


@pytest.mark.parametrize("fps", [0, -25, math.nan, math.inf])
def test_a_frame_rate_must_be_one(tmp_path, make_images, fps):
    make_images(tmp_path / "clip", 2)
    with pytest.raises(InputError, match="--fps.*above 0"):
        find_videos(tmp_path, fps=fps)


def test_a_stray_picture_does_not_make_a_folder_of_videos_unreadable(make_video, tmp_path):
    make_video("v/hello/a.mp4")
    cv2.imwrite(str(tmp_path / "v" / "logo.png"), np.zeros((8, 8, 3), np.uint8))
    for fps in (None, 25.0):
        found = find_videos(tmp_path / "v", fps)
        assert [video.key for video in found.videos] == ["hello/a.mp4"]
        assert [path.name for path in found.others] == ["logo.png"]


def test_the_folder_one_stands_in_has_a_name_too(tmp_path, make_images, monkeypatch):
    make_images(tmp_path / "hello", 2)
    monkeypatch.chdir(tmp_path / "hello")
    assert [video.key for video in find_videos(".", fps=25.0).videos] == ["hello"]


def test_two_videos_of_one_key_are_refused_before_the_start(make_video, tmp_path):
    made = make_video("v/caf%E9.mp4")
    os.link(made, os.fsencode(made.parent) + b"/caf\xe9.mp4")
    with pytest.raises(InputError, match="both have the key 'caf%E9.mp4'") as error:
        find_videos(made.parent)
    assert str(made) in str(error.value)
    assert "caf\udce9.mp4" in str(error.value)


def test_two_folders_of_images_of_one_key_are_refused_before_the_start(tmp_path, make_images):
    make_images(tmp_path / "dup", 2)
    make_images(tmp_path / "dup" / "dup", 2)
    with pytest.raises(InputError, match=r"dup and .*dup/dup would both have the key 'dup'"):
        find_videos(tmp_path / "dup", fps=25.0)


def test_a_video_is_found_again_by_the_key_it_was_given(make_video, make_images, tmp_path):
    root = tmp_path / "v"
    made = make_video("v/a/1.mp4")
    make_images(root / "b" / "images", 2)
    os.rename(make_video("v/x.mp4"), os.fsencode(root) + b"/caf\xe9.mp4")
    for place in (root, made, root / "b" / "images"):
        for video in find_videos(place, fps=20.0).videos:
            assert find_video(place, video.key, 20.0) == video
    for key in ("a/2.mp4", "../v/a/1.mp4", str(made), ""):
        with pytest.raises(InputError, match="but not"):
            find_video(root, key, 20.0)
