"""Read a video: its frames, upright, with their true times."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Read by OpenCV when it is imported: what FFmpeg has to say of damaged files goes to `cut` and
# `VideoError`, not to the terminal.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import cv2
import numpy as np

from poseprep.errors import VideoError
from poseprep.find import Video, portable_key

# How the files of these kinds begin: MP4 and QuickTime boxes; Matroska and WebM, AVI, MPEG
# program stream, ASF (WMV), Flash, Ogg.
_BOXES = frozenset(b"ftyp moov mdat free skip wide pnot uuid".split())
_SIGNATURES = (b"\x1a\x45\xdf\xa3", b"RIFF", b"\0\0\1", b"\x30\x26\xb2\x75", b"FLV", b"OggS")

# A header may promise a few frames that no player shows; more than this share is a cut.
_CUT_SHARE = 0.95


def file_hash(video: Video) -> str:
    """SHA-256 of the video file, or of the images' names and bytes one after the other."""
    digest = hashlib.sha256()
    for path in video.images or (video.path,):
        if video.images:
            digest.update(path.name.encode(errors="surrogateescape") + b"\0")
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


class VideoReader:
    """The frames of a video: `for time, frame in VideoReader(video)`.

    `time` is in seconds from the first frame, as the video says (a variable frame rate keeps
    its own times) and rising; `frame` is (H, W, 3) uint8 RGB, upright. All frames are read,
    whatever the header says their number is.

    Attributes:
        fps: nominal frames a second.
        expected_frames: what the header says; 0 where it says nothing believable.
        cut: after the last frame: why the video ended early, in words; empty where it did not.

    Raises:
        VideoError: the video does not open, or gives no frame.
    """

    def __init__(self, video: Video):
        self.video, self.cut = video, ""
        if video.images:
            self.fps, self.expected_frames = video.fps, len(video.images)
            return
        if not os.access(video.path, os.R_OK):
            raise VideoError("the file is not there any more, or may not be read")
        if video.path.stat().st_size == 0:
            raise VideoError("the file is empty")
        if not _is_container(video.path):
            raise VideoError("not a video: its first bytes are of no known kind of video file")
        with _openable(video.path) as name:
            # One decoding thread: every worker has one core.
            self._capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        if not self._capture.isOpened():
            raise VideoError("not a video that can be opened: damaged, or without a picture")
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # off by default in 4.11
        fps, frames = (
            self._capture.get(cv2.CAP_PROP_FPS),
            self._capture.get(cv2.CAP_PROP_FRAME_COUNT),
        )
        self.fps = fps if np.isfinite(fps) and 0 < fps < 1000 else 25.0
        self.expected_frames = int(frames) if 0 < frames < 1e8 else 0

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        frames, size = 0, None
        last = -1 / self.fps
        for time, frame in self._images() if self.video.images else self._decoded():
            size = size or frame.shape
            if frame.shape != size:
                self.cut = (
                    f"the picture changes from {size[1]}×{size[0]} to "
                    f"{frame.shape[1]}×{frame.shape[0]} after {frames} frames"
                )
                return
            frames += 1
            last = time
            yield time, np.ascontiguousarray(frame[..., ::-1])
        if frames == 0:
            raise VideoError(self.cut or "not a single frame could be read")
        if self.cut or self.video.images:
            return
        promised, read = self.expected_frames / self.fps, last + 1 / self.fps
        if frames < _CUT_SHARE * self.expected_frames and read < _CUT_SHARE * promised:
            self.cut = (
                f"cut short: the header promises {self.expected_frames} frames "
                f"({promised:.1f} s), {frames} ({read:.1f} s) could be read"
            )

    def _decoded(self) -> Iterator[tuple[float, np.ndarray]]:
        start, last = None, -1 / self.fps
        try:
            while True:
                ok, frame = self._capture.read()
                if not ok:
                    return
                stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                start = stamp if start is None else start
                # Where a video has no times of its own, they stand still: count frames instead.
                last = stamp - start if stamp - start > last else last + 1 / self.fps
                yield last, frame
        finally:
            self._capture.release()

    def _images(self) -> Iterator[tuple[float, np.ndarray]]:
        for i, path in enumerate(self.video.images):
            frame = _read_image(path)
            if frame is None:
                self.cut = f"cut short: {path.name} is no readable image"
                return
            yield i / self.fps, frame


def _read_image(path: Path) -> np.ndarray | None:
    try:
        data = np.fromfile(path, np.uint8)
    except OSError:
        return None
    return cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None


def _is_container(path: Path) -> bool:
    """Whether a file begins as a video file that holds its own frames.

    FFmpeg opens whatever it recognises, a text file too, if it is a playlist: and a playlist
    leads to other files and into the network. It looks for one behind ID3 tags, too.
    """
    with open(path, "rb") as file:
        head = file.read(4096)
    if head.startswith((b"#EXT", b"ffconcat", b"ID3")):
        return False
    return head[4:8] in _BOXES or head.startswith(_SIGNATURES) or _is_transport_stream(head)


def _is_transport_stream(head: bytes) -> bool:
    """MPEG transport stream: every packet begins with G; in M2TS files, after four bytes."""
    syncs = (head[0::188], head[0::204], head[4::192])
    return any(len(sync) >= 3 and set(sync) == {ord("G")} for sync in syncs)


@contextmanager
def _openable(path: Path) -> Iterator[str]:
    """A name for a file that OpenCV can open: it crashes on names that are no UTF-8."""
    name = str(path.absolute())
    if portable_key(name) == name:
        yield name
        return
    with open(path, "rb") as file:
        yield f"/proc/self/fd/{file.fileno()}"


def survey_frames(videos: list[Video], most: int = 500) -> int:
    """About how many frames videos hold, from the headers of at most `most`; 0: not known."""
    step = -(-len(videos) // most)
    counts = [_promised_frames(video) for video in videos[::step]]
    known = [count for count in counts if count]
    if len(known) == len(videos):
        return sum(known)
    return round(len(videos) * float(np.mean(known))) if known else 0


def _promised_frames(video: Video) -> int:
    try:
        return VideoReader(video).expected_frames
    except VideoError:
        return 0
