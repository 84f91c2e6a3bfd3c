"""Odd names, links, permissions, and files that are none: found and read, or told with a reason."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from poseprep.errors import InputError, VideoError
from poseprep.find import Video, find_video, find_videos
from poseprep.video import VideoReader, file_hash, file_stat

NAMES = [
    "héllo wörld.mp4",
    "手話.mp4",
    "🤟.mp4",
    "-rf.mp4",
    "'quoted' \"twice\".mp4",
    "two\nlines.mp4",
    "100%d %s %03d.mp4",
    "a#1.200-2.840.mp4",
    "concat:a|b.mp4",
    "http:%2F%2Fhost.mp4",
    "back\\slash.mp4",
    "SHOUTED.MP4",
    " .mp4",
    "n" * 251 + ".mp4",
    "ends.in.mp4.mp4",
    "star*[a-z]?.mp4",
]


def reason(path: Path) -> str:
    """What each look at the file says; the same from all of them."""
    told = set()
    for look in (file_stat, file_hash, lambda video: list(VideoReader(video))):
        with pytest.raises(VideoError) as error:
            look(Video("key", path))
        told.add(str(error.value))
    assert len(told) == 1
    return told.pop()


def test_a_name_decides_nothing_but_the_key(make_video, tmp_path):
    made, root = make_video("made.mp4", frames=3), tmp_path / "v"
    for folder in ("one", "two", "-", "spa ce", "#1.200-2.840"):
        for name in NAMES:
            (root / folder).mkdir(parents=True, exist_ok=True)
            os.link(made, root / folder / name)
    os.link(made, os.fsencode(root) + b"/caf\xe9\xff.mp4")
    videos = find_videos(root).videos
    assert len({video.key for video in videos}) == len(videos) == 5 * len(NAMES) + 1
    for video in videos:
        assert find_video(root, video.key, 25.0) == video
        assert len(list(VideoReader(video))) == 3
        assert file_hash(video) == file_hash(videos[0])


def test_a_pipe_a_socket_and_a_device_are_never_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.mp4")
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.mp4")
        os.symlink("/dev/zero", tmp_path / "device.mp4")
        found = find_videos(tmp_path)
        assert [video.key for video in found.videos] == ["device.mp4", "pipe.mp4", "socket.mp4"]
        kinds = [reason(video.path) for video in found.videos]
    assert kinds == [
        "not a video file, but a device",
        "not a video file, but a named pipe",
        "not a video file, but a socket",
    ]


def test_a_pipe_among_images_is_no_image(tmp_path, make_images):
    make_images(tmp_path / "clip", 3)
    os.mkfifo(tmp_path / "clip" / "2a.png")
    (video,) = find_videos(tmp_path / "clip", fps=25.0).videos
    reader = VideoReader(video)
    assert len(list(reader)) == 2
    assert "2a.png is no readable image" in reader.cut
    file_hash(video)
    file_stat(video)


def test_links_that_lead_nowhere_or_to_themselves_are_told(make_video, tmp_path):
    root = make_video("v/a.mp4").parent
    os.symlink("nowhere", root / "dangling.mp4")
    os.symlink("self.mp4", root / "self.mp4")
    os.symlink("/not/mounted", root / "signer3")
    os.symlink("ring", root / "ring")
    os.symlink("nowhere", root / ".#lock")
    found = find_videos(root)
    assert [video.key for video in found.videos] == ["a.mp4", "dangling.mp4", "self.mp4"]
    assert found.unreadable == {
        "ring": "a link that leads back to itself",
        "signer3": "the link's target is not there any more",
    }
    assert reason(root / "dangling.mp4") == "a link that leads nowhere"
    assert reason(root / "self.mp4") == "a link that leads back to itself"


def test_folders_linked_in_a_ring_are_walked_once(make_video, tmp_path):
    make_video("v/a/1.mp4")
    make_video("v/b/2.mp4")
    os.symlink(tmp_path / "v" / "b", tmp_path / "v" / "a" / "b")
    os.symlink(tmp_path / "v" / "a", tmp_path / "v" / "b" / "a")
    os.symlink(".", tmp_path / "v" / "here")
    assert [video.key for video in find_videos(tmp_path / "v").videos] == ["a/1.mp4", "b/2.mp4"]


def test_a_folder_named_like_a_video_is_told_unless_it_holds_some(
    make_video, make_images, tmp_path
):
    root = make_video("v/full.mp4/1.mp4").parent.parent
    make_images(root / "images.mp4", 2)
    (root / "bare.mp4").mkdir()
    found = find_videos(root, fps=25.0)
    assert [video.key for video in found.videos] == ["full.mp4/1.mp4", "images.mp4"]
    assert list(found.unreadable) == ["bare.mp4"]


def test_a_place_that_is_no_folder_says_what_it_is(tmp_path):
    os.symlink("nowhere", tmp_path / "dangling")
    with pytest.raises(InputError, match="found nothing there"):
        find_videos(tmp_path / "dangling")


def test_a_file_that_vanishes_between_finding_and_reading_is_told(make_video, tmp_path):
    for name in ("v/a.mp4", "v/b/c.mp4"):
        make_video(name)
    videos = find_videos(tmp_path / "v").videos
    shutil.rmtree(tmp_path / "v")
    for video in videos:
        assert reason(video.path) == "the file is not there any more"


def test_a_file_replaced_while_it_is_read_is_read_to_its_end(make_video, tmp_path):
    path, other = make_video("a.mp4", frames=10), make_video("b.mp4", frames=3)
    frames = iter(VideoReader(Video("a", path)))
    next(frames)
    os.replace(other, path)
    assert len(list(frames)) == 9


def test_a_file_emptied_while_it_is_read_ends_there(make_video):
    path = make_video("a.avi", frames=60, size=(640, 480))
    reader = VideoReader(Video("a", path))
    frames = iter(reader)
    next(frames)
    os.truncate(path, 0)
    assert len(list(frames)) < 59
    assert reader.cut


# Imports first: what Python is installed in may be root's alone.
FORBIDDEN = """
import os, sys
from poseprep.errors import VideoError
from poseprep.find import find_videos
from poseprep.video import VideoReader
os.setgid(65534)
os.setuid(65534)
found = find_videos(sys.argv[1])
print(found.unreadable)
for video in found.videos:
    try:
        print(video.key, len(list(VideoReader(video))))
    except VideoError as error:
        print(video.key, error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_may_not_be_read_is_told(make_video):
    made = make_video("made.mp4")
    with TemporaryDirectory() as folder:  # pytest's own are root's alone
        root = Path(folder)
        for name in ("free.mp4", "file.mp4", "closed/a.mp4", "listed/a.mp4", "listed/deep/a.mp4"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made, root / name)
        for name, mode in ((".", 0o755), ("file.mp4", 0), ("closed", 0), ("listed", 0o444)):
            (root / name).chmod(mode)
        command = [sys.executable, "-c", FORBIDDEN, folder]
        done = subprocess.run(command, capture_output=True, text=True)
    forbidden = "may not be read: its permissions forbid it"
    folders = {"listed/deep": f"the folder {forbidden}", "closed": f"the folder {forbidden}"}
    assert (done.stdout.splitlines(), done.stderr) == (
        [
            str(folders),
            f"file.mp4 the file {forbidden}",
            "free.mp4 10",
            f"listed/a.mp4 the file {forbidden}",
        ],
        "",
    )
