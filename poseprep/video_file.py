"""A video as a file: is it one that may be opened, how large, which bytes."""

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from poseprep.containers import is_container, may_change_size, missing_bytes, shown_seconds
from poseprep.errors import VideoError
from poseprep.find import Video, in_words, portable_key

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def file_hash(video: Video, tick: Callable[[], None] = lambda: None) -> str:
    """SHA-256 of the video file, or of the images' names and bytes one after the other.

    An image that cannot be read counts as an empty one. `tick` is called after every MiB and
    every image: the hash of a long video takes minutes.

    Raises:
        VideoError: the file cannot be read.
    """
    for digest in hash_steps(video):
        if not digest:
            tick()
    return digest


def hash_steps(video: Video) -> Iterator[str]:
    """Empty strings while `file_hash` is at work; at last the hash."""
    digest = hashlib.sha256()
    for path in video.images or (video.path,):
        if video.images:
            digest.update(path.name.encode(errors="surrogateescape") + b"\0")
        try:
            with _opened(path) as file:
                while block := file.read(1 << 20):
                    digest.update(block)
                    yield ""
        except VideoError:
            if not video.images:
                raise
    yield digest.hexdigest()


def file_stat(video: Video) -> tuple[int, int]:
    """Bytes, and when they were last written, in nanoseconds: as long as these stay, it does.

    For a folder of images, their sum and the newest.

    Raises:
        VideoError: the file is gone, or is none.
    """
    if not video.images:
        status = _status(video.path)
        return status.st_size, status.st_mtime_ns
    found = []
    for path in video.images:
        try:
            found.append(_status(path))
        except VideoError as error:
            reason = error
    if not found:
        raise reason
    return sum(status.st_size for status in found), max(status.st_mtime_ns for status in found)


@dataclass(frozen=True)
class Container:
    """What a file's own structure says of it.

    Attributes:
        missing_bytes: how much shorter it is than it should be.
        shown_seconds: how long it shows; infinity where that is not known.
        may_change_size: whether its pictures may, midway.
    """

    missing_bytes: int
    shown_seconds: float
    may_change_size: bool


def look_inside(path: Path) -> Container:
    """Look at a video file before FFmpeg does.

    Raises:
        VideoError: it cannot be read, or does not begin as a video file that holds its own
            frames.
    """
    with _opened(path) as file:
        head = file.read(4096)
        if not head:
            raise VideoError("the file is empty")
        if not is_container(head):
            raise VideoError("not a video: its first bytes are of no known kind of video file")
        return Container(missing_bytes(file), shown_seconds(file), may_change_size(head))


def image_bytes(path: "os.PathLike[str]") -> bytes:
    """Raises VideoError where it cannot be read."""
    with _opened(Path(path)) as file:
        return file.read()


@contextmanager
def openable(path: Path) -> Iterator[str]:
    """A name for a file that OpenCV can open: it crashes on names that are no UTF-8."""
    name = str(path.absolute())
    if portable_key(name) == name:
        yield name
        return
    with _opened(path) as file:
        yield f"/proc/self/fd/{file.fileno()}"


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedIOBase]:
    _status(path)
    try:
        # Were it a pipe by now, opening it would wait for somebody to write into it.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            yield file
    except OSError as error:
        raise VideoError(in_words(error)) from error


def _status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise VideoError("a link that leads nowhere") from error
        raise VideoError(in_words(error)) from error
    except OSError as error:
        raise VideoError(in_words(error)) from error
    for is_kind, kind in _KINDS:
        if is_kind(status.st_mode):
            raise VideoError(f"not a video file, but {kind}")
    return status
