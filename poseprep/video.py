"""Videos on disk: find them, read their frames upright with their true times."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# Read by OpenCV when it is imported: what FFmpeg has to say of damaged files goes to `cut` and
# `VideoError`, not to the terminal.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import cv2
import numpy as np

from poseprep.errors import InputError, VideoError

VIDEO_ENDINGS = frozenset(
    ".3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()
)
IMAGE_ENDINGS = frozenset(".bmp .jpeg .jpg .png .tif .tiff .webp".split())

# How the files of these kinds begin: MP4 and QuickTime boxes; Matroska and WebM, AVI, MPEG
# program stream, ASF (WMV), Flash, Ogg.
_BOXES = frozenset(b"ftyp moov mdat free skip wide pnot uuid".split())
_SIGNATURES = (b"\x1a\x45\xdf\xa3", b"RIFF", b"\0\0\1", b"\x30\x26\xb2\x75", b"FLV", b"OggS")

# A header may promise a few frames that no player shows; more than this share is a cut.
_CUT_SHARE = 0.95


@dataclass(frozen=True)
class Video:
    """A video file, or a folder of images when `images` is not empty.

    Attributes:
        key: path below the folder searched, `/` between.
        images: the frames' files, in natural order.
        fps: frames a second of a folder of images; a video file tells its own.
    """

    key: str
    path: Path
    images: tuple[Path, ...] = ()
    fps: float = 0.0


@dataclass(frozen=True)
class Found:
    """What a folder holds: the videos, in the order of their keys, and the files left alone."""

    videos: list[Video]
    others: list[Path] = field(default_factory=list)


def find_videos(root: str | Path, fps: float | None = None) -> Found:
    """Every video below `root`, or `root` itself where it is a video file.

    A folder that holds images and no videos counts as one video with `fps` frames a second.
    Links are followed, each folder once.

    Raises:
        InputError: `root` is not there or holds no video, or there are folders of images and
            no `fps`.
    """
    root = Path(root)
    if root.is_file():
        if root.suffix.lower() not in VIDEO_ENDINGS:
            raise InputError(f"{root}: expected a video or a folder, found a {root.suffix!r} file")
        return Found([Video(portable_key(root.name), root)])
    if not root.is_dir():
        raise InputError(f"{root}: expected a folder of videos, found nothing there")
    found = Found([])
    seen: set[Path] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = Path(folder).resolve()
        if real in seen:
            folders.clear()  # a link that leads back
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = [Path(folder, name) for name in names if not name.startswith(".")]
        _sort_files(root, Path(folder), files, fps, found)
    if not found.videos:
        raise InputError(
            f"{root}: no video found (endings looked for: {' '.join(sorted(VIDEO_ENDINGS))}; "
            f"or folders of images); {len(found.others)} other files are there"
        )
    found.videos.sort(key=lambda video: video.key)
    return found


def _sort_files(
    root: Path, folder: Path, files: list[Path], fps: float | None, found: Found
) -> None:
    """Add one folder's files to what was found."""
    videos = [file for file in files if file.suffix.lower() in VIDEO_ENDINGS]
    images = [file for file in files if file.suffix.lower() in IMAGE_ENDINGS]
    found.others.extend(set(files) - set(videos) - set(images))
    for file in videos:
        found.videos.append(Video(portable_key(file.relative_to(root).as_posix()), file))
    if videos:
        found.others.extend(images)  # thumbnails beside videos are no video
    elif images:
        if fps is None:
            raise InputError(
                f"{folder}: a folder of images; say how many frames a second they are with --fps"
            )
        key = portable_key(folder.relative_to(root).as_posix() if folder != root else root.name)
        found.videos.append(Video(key, folder, tuple(sorted(images, key=natural_order)), fps))


def natural_order(path: Path) -> list[tuple[int, int | str]]:
    """2.png before 10.png."""
    pieces = re.split(r"(\d+)", path.name)
    return [(0, int(piece)) if piece.isdigit() else (1, piece) for piece in pieces]


def portable_key(name: str) -> str:
    """The name as valid UTF-8: bytes that are none are percent-encoded."""
    return "".join(f"%{ord(c) - 0xDC00:02X}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in name)


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
            raise VideoError("not a single frame could be read")
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
            frame = (
                cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
                if path.stat().st_size
                else None
            )
            if frame is None:
                self.cut = f"{path.name} is no readable image"
                return
            yield i / self.fps, frame


def _is_container(path: Path) -> bool:
    """Whether a file begins as a video file that holds its own frames.

    FFmpeg opens whatever it recognises, a text file too, if it is a playlist: and a playlist
    leads to other files and into the network.
    """
    with open(path, "rb") as file:
        head = file.read(4096)
    if head.startswith((b"#EXT", b"ffconcat")):
        return False
    sync = any(  # MPEG transport stream: a packet starts every 188 (or 192) bytes
        head[i::stride][:3] == b"GGG" for stride in (188, 192, 204) for i in range(stride)
    )
    return sync or head[4:8] in _BOXES or head.startswith(_SIGNATURES)


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
    """About how many frames videos hold, from the headers of at most `most` of them."""
    step = max(1, len(videos) // most)
    counts = []
    for video in videos[::step]:
        try:
            counts.append(VideoReader(video).expected_frames)
        except VideoError:
            counts.append(0)
    known = [count for count in counts if count]
    if step == 1 and len(known) == len(counts):
        return sum(counts)
    return round(len(videos) * float(np.mean(known))) if known else 0
