import os
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from poseprep.errors import VideoError
from poseprep.find import Video, find_videos
from poseprep.video import VideoReader, file_hash, file_stat, survey_frames


def read(path, **fields):
    reader = VideoReader(Video(path.name, path, **fields))
    frames = list(reader)
    return [time for time, _ in frames], [frame for _, frame in frames], reader


def test_frames_come_in_rgb_with_their_times(make_video):
    times, frames, reader = read(make_video("a.mp4", frames=10, fps=25, size=(64, 48)))
    assert np.allclose(times, np.arange(10) / 25)
    assert frames[0].shape == (48, 64, 3)
    assert [round(float(frame[30, 40].mean()), -1) for frame in frames] == [
        10.0 * i for i in range(10)
    ]
    assert (reader.fps, reader.expected_frames, reader.cut) == (25, 10, "")


def test_red_is_the_first_channel(tmp_path):
    (tmp_path / "clip").mkdir()
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes blue first
    cv2.imwrite(str(tmp_path / "clip" / "1.png"), red)
    (video,) = find_videos(tmp_path, fps=25.0).videos
    ((_, frame),) = VideoReader(video)
    assert frame[0, 0].tolist() == [255, 0, 0]


def test_a_variable_frame_rate_keeps_its_own_times(tmp_path):
    path, stamps = tmp_path / "variable.mp4", [0, 40, 60, 200, 240, 1000]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for stamp in stamps:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8), format="rgb24")
            frame.pts = stamp
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    times, _, _ = read(path)
    assert np.allclose(times, np.array(stamps) / 1000, atol=1e-3)


def test_a_video_rotated_by_its_metadata_stands_upright(make_video):
    path = make_video("rotated.mp4", frames=3, size=(64, 48))
    data = bytearray(path.read_bytes())
    # The track header's matrix (ISO 14496-12, 8.3.2), a quarter turn clockwise; 16.16 numbers,
    # the last column 2.30.
    matrix = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    turned = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 48 << 16, 0, 1 << 30)
    data[matrix : matrix + 36] = turned
    path.write_bytes(data)
    _, frames, _ = read(path)
    assert frames[0].shape == (64, 48, 3)
    bright = frames[0][..., 0] > 150
    assert bright[:10, -10:].all()  # the bright corner went from top left to top right
    assert not bright[20:].any()


@pytest.mark.parametrize("promised", [3, 500])
def test_all_frames_are_read_whatever_the_header_says(make_video, promised):
    """The number of frames in an AVI's header, which players do not go by."""
    path = make_video("lies.avi", frames=10)
    data = bytearray(path.read_bytes())
    main, stream = data.index(b"avih") + 8, data.index(b"strh") + 8
    for place in (main + 16, stream + 32):
        assert struct.unpack("<I", data[place : place + 4]) == (10,)
        data[place : place + 4] = struct.pack("<I", promised)
    path.write_bytes(data)
    times, frames, reader = read(path)
    assert reader.expected_frames == promised
    assert len(frames) == len(times) == 10
    assert bool(reader.cut) == (promised == 500)


def test_a_cut_video_gives_its_readable_part_and_says_so(make_video, tmp_path):
    whole = make_video("whole.avi", frames=60, size=(320, 240)).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: len(whole) // 2])
    times, _, reader = read(cut)
    assert 0 < len(times) < 60
    assert "cut short: the file ends" in reader.cut
    assert f"bytes too early; {len(times)} frames" in reader.cut


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"this is text, not a video\n" * 50, "not a video"),
        (b"\0\0\0\x18ftypmp42" + bytes(500), "not a video that can be opened"),
    ],
)
def test_what_is_no_video_says_so(tmp_path, content, reason):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=reason):
        read(path)


CONCAT = b"ffconcat version 1.0\nfile real.mkv\n#"
HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nreal.mkv\n#EXT-X-ENDLIST\n"
ID3 = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
BYTES_LIKE_A_STREAM = b"G" * 4000  # the sync bytes of a transport stream, wherever one looks


@pytest.mark.parametrize(
    "content",
    [HLS, CONCAT, CONCAT + BYTES_LIKE_A_STREAM, ID3 + CONCAT + BYTES_LIKE_A_STREAM, b"\n" + HLS],
    ids=["hls", "concat", "concat+G", "id3+concat+G", "newline+hls"],
)
@pytest.mark.parametrize("name", ["innocent.mp4", "innocent.ts"])
def test_a_playlist_that_calls_itself_a_video_is_not_opened(make_video, tmp_path, content, name):
    make_video("real.mkv")
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(VideoError, match="its first bytes are of no known kind"):
        read(path)


@pytest.mark.parametrize("ending", "avi flv m2ts m4v mkv mov mp4 mpg ts webm wmv".split())
def test_every_kind_of_video_file_is_read(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    codec = {
        "webm": "libvpx",
        "flv": "flv1",
        "mpg": "mpeg2video",
        "ts": "mpeg2video",
        "m2ts": "mpeg2video",
        "wmv": "wmv2",
    }.get(ending, "mpeg4")
    muxer = {"m2ts": "mpegts", "wmv": "asf", "mpg": "mpeg"}.get(ending)
    with av.open(str(path), "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(12):
            picture = np.full((48, 64, 3), 10 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    times, frames, _ = read(path)
    assert len(frames) == 12
    assert np.allclose(np.diff(times), 1 / 25, atol=2e-3)


def test_a_folder_of_images_is_a_video_in_natural_order(tmp_path, make_images):
    make_images(tmp_path / "hello" / "clip1", 11)
    (video,) = find_videos(tmp_path, fps=20.0).videos
    assert video.key == "hello/clip1"
    assert [path.stem for path in video.images] == [str(i) for i in range(1, 12)]
    times, frames, _ = read(video.path, images=video.images, fps=video.fps)
    assert np.allclose(times, np.arange(11) / 20)
    assert frames[10][0, 0, 0] == 100
    assert survey_frames([video]) == 11


def test_images_of_another_size_end_the_clip_with_a_reason(tmp_path, make_images):
    make_images(tmp_path / "clip", 3)
    cv2.imwrite(str(tmp_path / "clip" / "4.png"), np.zeros((10, 10, 3), np.uint8))
    (video,) = find_videos(tmp_path, fps=25.0).videos
    times, _, reader = read(video.path, images=video.images, fps=25.0)
    assert len(times) == 3
    assert "changes from 32×24 to 10×10 after 3 frames" in reader.cut


def test_names_that_are_no_utf8_become_keys_that_are(make_video, tmp_path):
    made = make_video("v/a.mp4")
    os.rename(made, os.fsencode(made.parent) + b"/caf\xe9.mp4")
    (video,) = find_videos(tmp_path / "v").videos
    assert video.key == "caf%E9.mp4"
    assert len(list(VideoReader(video))) == 10


def test_the_hash_follows_the_bytes(make_video):
    a, b = make_video("a.mp4", frames=3), make_video("b.mp4", frames=4)
    assert file_hash(Video("a", a)) == file_hash(Video("b", a)) != file_hash(Video("b", b))


@pytest.mark.parametrize(("broken", "frames"), [(1, 0), (3, 2)])
def test_a_broken_image_is_named(tmp_path, make_images, broken, frames):
    make_images(tmp_path / "clip", 4)
    (tmp_path / "clip" / f"{broken}.png").write_bytes(b"no picture")
    (video,) = find_videos(tmp_path, fps=25.0).videos
    reader = VideoReader(video)
    reason = f"{broken}.png is no readable image"
    if frames:
        assert len(list(reader)) == frames
        assert reason in reader.cut
    else:
        with pytest.raises(VideoError, match=reason):
            list(reader)


def test_a_long_hash_tells_that_it_goes_on(tmp_path):
    path, ticks = tmp_path / "a.mp4", []
    path.write_bytes(bytes((1 << 20) * 3 + 1))
    file_hash(Video("a", path), tick=lambda: ticks.append(1))
    assert len(ticks) == 4


def test_size_and_time_of_a_file_and_of_images(make_video, make_images, tmp_path):
    path = make_video("a.mp4")
    os.utime(path, ns=(5, 12345))
    assert file_stat(Video("a", path)) == (path.stat().st_size, 12345)
    make_images(tmp_path / "clip", 3)
    (video,) = find_videos(tmp_path / "clip", fps=25.0).videos
    os.utime(video.images[1], ns=(5, 1 << 62))
    assert file_stat(video) == (sum(image.stat().st_size for image in video.images), 1 << 62)


def test_what_is_gone_says_so(make_video):
    path = make_video("a.mp4")
    path.unlink()
    for look in (file_stat, file_hash, VideoReader):
        with pytest.raises(VideoError, match="not there any more"):
            look(Video("a", path))


def test_a_survey_ends_in_time_and_goes_by_what_it_saw(monkeypatch):
    opened = []

    class Reader:
        expected_frames = 7

        def __init__(self, video):
            opened.append(video)

    monkeypatch.setattr("poseprep.video.VideoReader", Reader)
    videos = [Video(str(i), Path(str(i))) for i in range(999)]
    assert survey_frames(videos, seconds=0.0) == 999 * 7
    assert len(opened) < 999


def test_a_survey_opens_no_more_headers_than_it_says(monkeypatch):
    opened = []

    class Reader:
        expected_frames = 7

        def __init__(self, video):
            opened.append(video)

    monkeypatch.setattr("poseprep.video.VideoReader", Reader)
    videos = [Video(str(i), Path(str(i))) for i in range(999)]
    assert survey_frames(videos, most=500) == 999 * 7
    assert len(opened) <= 500
