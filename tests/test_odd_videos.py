"""Nothing that calls itself a video brings the reader down, or is read wrongly in silence."""

import os

import numpy as np
import pytest
from odd_making import write
from odd_videos import ODD

from poseprep.errors import VideoError
from poseprep.find import Video
from poseprep.video import VideoReader, survey_frames


@pytest.mark.parametrize("name", ODD)
def test_every_odd_video_is_read_or_says_why_not(name, tmp_path):
    odd = ODD[name]
    path = tmp_path / f"video.{odd.ending}"
    odd.make(path)
    fewest, most = odd.frames
    if most == 0:
        with pytest.raises(VideoError) as error:
            list(VideoReader(Video("key", path)))
        assert odd.reason in str(error.value)
        return
    reader = VideoReader(Video("key", path))
    times, frames = zip(*reader, strict=True)
    assert fewest <= len(frames) <= most
    assert odd.reason in reader.cut
    assert bool(reader.cut) == bool(odd.reason)
    assert times[0] == 0
    assert (np.diff(times) > 0).all()
    if odd.step:
        assert np.allclose(times, np.arange(len(times)) * odd.step, atol=1e-3)
    if odd.times:
        assert np.allclose(times, odd.times, atol=1e-3)
    width, height = odd.size
    assert {frame.shape for frame in frames} == {(height, width, 3)}
    for frame in frames[: None if not odd.reason else 1]:
        assert (frame[odd.corner] > 150).all()


def test_an_index_that_breaks_off_is_told_and_stops_no_survey(tmp_path):
    def box(kind, content=b""):
        return (8 + len(content)).to_bytes(4, "big") + kind + content

    path = tmp_path / "x.mp4"
    path.write_bytes(box(b"ftyp", b"isom\0\0\0\0") + box(b"moov", box(b"mvhd")))
    with pytest.raises(VideoError):
        list(VideoReader(Video("x.mp4", path)))
    assert survey_frames([Video("x.mp4", path)]) == 0


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="only Linux has it")
def test_making_a_video_does_not_make_this_program_a_real_time_one(tmp_path):
    before = os.sched_getscheduler(0)
    write(tmp_path / "a.mp4", codec="libsvtav1", frames=3)
    assert os.sched_getscheduler(0) == before
