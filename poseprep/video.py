"""Read a video: its frames, upright, with their true times."""

import math
import os
import random
import time as clock
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial

# Read by OpenCV when it is imported: what FFmpeg has to say of damaged files goes to `cut` and
# `VideoError`, not to the terminal.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import cv2
import numpy as np

from poseprep.errors import VideoError
from poseprep.find import Video
from poseprep.resized import SizeWatch
from poseprep.video_file import file_hash, file_stat, image_bytes, look_inside, openable

__all__ = ["VideoReader", "file_hash", "file_stat", "survey_frames"]

WHOLE = ((0.0, math.inf),)

# A header may promise a few frames that no player shows; more than this share is a cut.
_CUT_SHARE = 0.95
# A frame at 1.2 s, whose time is 1.1999999, belongs to a span that begins at 1.200.
_TOLERANCE = 1e-6
# As many pieces of a file may be undecodable, one after the other, before it is given up.
_MOST_FAILURES = 1000
# Seconds: 30 years. No video is longer; what looks so is no time.
_LONGEST = 1e9


class VideoReader:
    """The frames of a video: `for time, frame in VideoReader(video)`.

    `time` is in seconds from the first frame, as the video says (a variable frame rate keeps
    its own times) and rising; `frame` is (H, W, 3) uint8 RGB, upright, an array of its own that
    stays as it is while later ones are read. All frames are read, whatever the header says their
    number is.

    Args:
        spans: seconds from the first frame; only frames with start ≤ time < end of any span
            are given, each once, and nothing after the last span is decoded.

    Attributes:
        fps: nominal frames a second. Where the header says nothing believable, 25 until the
            last frame is read, then what their times say.
        expected_frames: what the header says; 0 where it says nothing believable.
        cut: after the last frame: why the video ended early, in words; empty where it did not.
            It is of no concern to spans that end before `end`.
        end: seconds up to which the video was read: the last frame's time and 1 / fps.

    Raises:
        VideoError: the video does not open, or gives no frame.
    """

    def __init__(self, video: Video, spans: Sequence[tuple[float, float]] = WHOLE):
        self.video, self.cut, self.end = video, "", 0.0
        self._spans = _joined(spans)
        self._frames, self._last, self._start, self._failures = 0, 0.0, 0.0, 0
        if video.images:
            self.fps, self.expected_frames, self._fps_known = video.fps, len(video.images), True
            return
        self._container = look_inside(video.path)
        with openable(video.path) as name:
            # One decoding thread: every worker has one core.
            self._capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
            if not self._capture.isOpened():
                why = self._early() or "damaged, or without a picture"
                raise VideoError(f"not a video that can be opened: {why}")
            codec = int(self._capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
            self._codec = codec.to_bytes(4, "little").decode("latin-1").strip("\0")
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # off by default in 4.11
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        frames = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        # What a browser records says 1000: the fineness of its times.
        self._fps_known = 0 < fps < 1000
        self.fps = fps if self._fps_known else 25.0
        self.expected_frames = int(frames) if 0 < frames < 1e8 else 0
        self._promised = min(
            self.expected_frames / (fps if fps > 0 else self.fps), self._container.shown_seconds
        )

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        for time, frame in self.steps():
            if frame is not None:
                yield time, frame

    def steps(self) -> Iterator[tuple[float, np.ndarray | None]]:
        """As iterating, but also a None for every frame outside the spans.

        To tell that reading goes on: a span may begin an hour into a video.
        """
        spans, size = deque(self._spans), None
        for time, picture in self._images() if self.video.images else self._decoded():
            while spans and time >= spans[0][1] - _TOLERANCE:
                spans.popleft()
            frame = None
            if spans and time >= spans[0][0] - _TOLERANCE:
                try:
                    frame = picture()
                    size = size or frame.shape
                    if frame.shape != size:
                        raise self._changes(size[1::-1], frame.shape[1::-1])
                except VideoError as error:
                    self.cut = str(error)
                    break
            self._frames += 1
            self._last, self.end = time, time + 1 / self.fps
            if not spans:
                return
            yield time, frame
        if self._frames == 0:
            raise VideoError(self.cut or self._nothing())
        if not self._fps_known and self._last > 0:
            self.fps = (self._frames - 1) / self._last
        self.cut = self.cut or self._missing()

    def _changes(self, first: tuple[int, ...], size: tuple[int, ...]) -> VideoError:
        return VideoError(
            f"the picture changes from {first[0]}×{first[1]} to {size[0]}×{size[1]} after "
            f"{_number(self._frames, 'frame')}"
        )

    def _nothing(self) -> str:
        if self._early():
            return f"not a single frame could be read: {self._early()}"
        if self._codec.upper() == "AV01":
            return "its pictures are coded as AV1, which OpenCV does not read: convert it to H.264"
        return f"not a single frame could be read: damaged, or of unknown codec {self._codec!r}"

    def _early(self) -> str:
        """In words, that the file's end is missing; empty where it is there."""
        lost = self._container.missing_bytes
        return f"the file ends {_number(lost, 'byte')} too early" if lost else ""

    def _missing(self) -> str:
        """In words, how much less could be read than there should be; empty if all was."""
        if self.video.images:
            return ""
        read = f"{_number(self._frames, 'frame')} ({self.end:.1f} s) could be read"
        if self._early():
            return f"cut short: {self._early()}; {read}"
        if self._failures:
            return f"damaged: {_number(self._failures, 'piece')} could not be decoded; {read}"
        promised = self._promised
        # Some headers count the time before the first frame.
        enough = self._start + self.end >= _CUT_SHARE * promised
        if enough or self._frames >= _CUT_SHARE * self.expected_frames:
            return ""
        return (
            f"cut short: the header promises {self.expected_frames} frames "
            f"({promised:.1f} s); {read}"
        )

    def _decoded(self) -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
        step, last, start = 1 / self.fps, -1 / self.fps, math.nan
        with openable(self.video.path) as name:
            self._watch = SizeWatch(name, self._codec, self._container.may_change_size)
        per_second = self._capture.get(cv2.CAP_PROP_FPS) or self.fps
        try:
            while self._grab():
                stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                counted = self._capture.get(cv2.CAP_PROP_PTS) / per_second
                # In WMV files OpenCV takes the times from minus for ever, and the digits are lost.
                stamp = next((t for t in (stamp, counted) if abs(t) < _LONGEST), math.nan)
                if math.isnan(start) and not math.isnan(stamp):
                    start = stamp - (last + step)
                    self._start = counted if 0 < counted < _LONGEST else 0.0
                # Where a video has no times of its own, or they stand still: count frames instead.
                last = stamp - start if stamp - start > last else last + step
                yield last, self._retrieve
        finally:
            self._capture.release()

    def _grab(self) -> bool:
        """Decode the next frame; False after the last one.

        OpenCV gives up on the first piece of a file that it cannot decode, and goes on when it is
        asked again.
        """
        for failures in range(_MOST_FAILURES):
            if self._capture.grab():
                self._failures += failures
                return True
        return False

    def _retrieve(self) -> np.ndarray:
        self._watch.look_at(self._frames + self._failures)
        if self._watch.changed:
            raise self._changes(*self._watch.changed)
        try:
            done, frame = self._capture.retrieve()
        except cv2.error:  # a header that asks for more memory than there is
            done = False
        if not done:
            raise VideoError(f"cut short: no picture could be made of frame {self._frames + 1}")
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)

    def _images(self) -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
        for i, path in enumerate(self.video.images):
            yield i / self.fps, partial(_read_image, path)


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The spans in order, those that touch made one, without empty ones."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if joined and start <= joined[-1][1]:
            start, end = joined[-1][0], max(end, joined.pop()[1])
        joined.append((start, end))
    return joined


def _read_image(path: "os.PathLike[str]") -> np.ndarray:
    try:
        frame = cv2.imdecode(np.frombuffer(image_bytes(path), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, VideoError, cv2.error):  # cv2: empty, or more pixels than it takes
        frame = None
    if frame is None:
        name = os.path.basename(path)
        raise VideoError(f"cut short: {name} is no readable image")
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def survey_frames(videos: list[Video], most: int = 500, seconds: float = 5.0) -> int:
    """About how many frames videos hold, from the headers of at most `most`; 0: not known.

    Opens no further header after `seconds`, and goes by those that it has seen.
    """
    # In a random order, or a survey that ends early would know the first folders only.
    sample = random.Random(0).sample(videos, min(most, len(videos)))
    until, counts = clock.monotonic() + seconds, list[int]()
    for video in sample:
        counts.append(_promised_frames(video))
        if clock.monotonic() > until:
            break
    known = [count for count in counts if count]
    if len(known) == len(videos):
        return sum(known)
    return round(len(videos) * float(np.mean(known))) if known else 0


def _promised_frames(video: Video) -> int:
    try:
        return VideoReader(video).expected_frames
    except Exception:  # an estimate: what is wrong with the video is told when it is read
        return 0
