"""Segments: only parts of a video are read, and it is decoded once."""

import math

import pytest

from poseprep.find import Video, find_videos
from poseprep.video import VideoReader


def spanned(path, *spans, **fields):
    reader = VideoReader(Video(path.name, path, **fields), spans)
    return [round(time * 25) for time, _ in reader], reader


@pytest.mark.parametrize("images", [False, True])
def test_only_frames_of_the_spans_are_given(make_video, make_images, tmp_path, images):
    path, fields = tmp_path / "clip", {}
    if images:
        make_images(path, 20)
        fields = {"images": find_videos(path, fps=25.0).videos[0].images, "fps": 25.0}
    else:
        path = make_video("a.mp4", frames=20)
    for spans, wanted in (
        ([(0.2, 0.4)], range(5, 10)),
        ([(0.4, 0.48), (0.08, 0.16)], [2, 3, 10, 11]),
        ([(0.1, 0.3), (0.2, 0.4)], range(3, 10)),
        ([(0.6, math.inf)], range(15, 20)),
        ([(0.0, 0.04)], [0]),
        ([(0.3, 0.3)], []),
        ([], []),
        ([(5.0, 9.0)], []),
    ):
        numbers, reader = spanned(path, *spans, **fields)
        assert numbers == list(wanted)
        assert reader.cut == ""
        last = 20 if spans and spans[0][1] > 0.8 else (max(wanted, default=-1) + 2)
        assert math.isclose(reader.end, last / 25)


def test_frames_of_a_span_are_those_of_the_whole(make_video):
    path = make_video("a.mp4", frames=12)
    whole = list(VideoReader(Video("a", path)))
    part = list(VideoReader(Video("a", path), [(0.2, 0.3)]))
    assert [time for time, _ in part] == [time for time, _ in whole[5:8]]
    assert all((a == b).all() for (_, a), (_, b) in zip(part, whole[5:8], strict=True))


def test_a_cut_concerns_only_spans_that_it_reaches(make_video, tmp_path):
    whole = make_video("whole.avi", frames=60, size=(320, 240)).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: len(whole) // 2])
    assert spanned(cut, (0.0, 0.4))[1].cut == ""
    numbers, reader = spanned(cut, (0.0, 0.2), (2.0, 2.4))
    assert numbers == [0, 1, 2, 3, 4]
    assert "cut short" in reader.cut
    assert 0.2 < reader.end < 2


def test_images_outside_the_spans_are_not_opened(tmp_path, make_images):
    make_images(tmp_path / "clip", 4)
    (tmp_path / "clip" / "1.png").write_bytes(b"no picture")
    (video,) = find_videos(tmp_path, fps=25.0).videos
    numbers, reader = spanned(video.path, (0.04, 1.0), images=video.images, fps=25.0)
    assert (numbers, reader.cut) == ([1, 2, 3], "")


def test_frames_outside_the_spans_tell_that_reading_goes_on(make_video):
    reader = VideoReader(Video("a", make_video("a.mp4", frames=12)), [(0.2, 0.3)])
    steps = [frame is None for _, frame in reader.steps()]
    assert steps == [True] * 5 + [False] * 3
