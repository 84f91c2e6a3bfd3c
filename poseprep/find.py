"""Find videos on disk, and name them."""

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from poseprep.errors import InputError

VIDEO_ENDINGS = frozenset(
    ".3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()
)
IMAGE_ENDINGS = frozenset(".bmp .jpeg .jpg .png .tif .tiff .webp".split())


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

    A folder that holds images, and no video anywhere below, counts as one video with `fps`
    frames a second. Links are followed, each folder once.

    Raises:
        InputError: `root` is not there or holds no video, two videos would have one key, or
            there are folders of images and no `fps`.
    """
    root = Path(root)
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise InputError(f"--fps {fps}: expected a number of frames a second above 0")
    if root.is_file():
        if root.suffix.lower() not in VIDEO_ENDINGS:
            raise InputError(f"{root}: expected a video or a folder, found a {root.suffix!r} file")
        return Found([Video(portable_key(root.name), root)])
    if not root.is_dir():
        raise InputError(f"{root}: expected a folder of videos, found nothing there")
    found = Found([])
    folders_of_images: dict[Path, list[Path]] = {}
    for folder, files in _walk(root):
        videos = [file for file in files if file.suffix.lower() in VIDEO_ENDINGS]
        images = [file for file in files if file.suffix.lower() in IMAGE_ENDINGS]
        if images:
            folders_of_images[folder] = sorted(images, key=natural_order)
        found.others.extend(set(files) - set(videos) - set(images))
        found.videos.extend(Video(_key(file, root), file) for file in videos)
    with_videos = {folder for video in found.videos for folder in video.path.parents}
    for folder, images in folders_of_images.items():
        if folder in with_videos:
            found.others.extend(images)  # thumbnails or a logo beside videos are no video
        elif fps is None:
            raise InputError(
                f"{folder}: a folder of images; say how many frames a second they are with --fps"
            )
        else:
            found.videos.append(Video(_key(folder, root), folder, tuple(images), fps))
    if not found.videos:
        raise InputError(
            f"{root}: no video found (endings looked for: {' '.join(sorted(VIDEO_ENDINGS))}; "
            f"or folders of images); {len(found.others)} other files are there"
        )
    found.videos.sort(key=lambda video: video.key)
    for one, other in zip(found.videos, found.videos[1:], strict=False):
        if one.key == other.key:
            raise InputError(
                f"{one.path} and {other.path} would both have the key {one.key!r}; rename one"
            )
    return found


def find_video(root: str | Path, key: str, fps: float) -> Video:
    """The video below `root` that `find_videos` gives this key, or `root` itself if it is a file.

    Raises:
        InputError: there is none.
    """
    videos = find_videos(root, fps).videos
    for video in videos:
        if video.key == key or Path(root).is_file():
            return video
    raise InputError(f"{root}: holds {len(videos)} videos, but not {key!r}")


def _walk(root: Path) -> list[tuple[Path, list[Path]]]:
    """Every folder with its files, but for hidden ones; a link that leads back ends there."""
    walked, seen = [], set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = Path(folder).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = [Path(folder, name) for name in names if not name.startswith(".")]
        walked.append((Path(folder), files))
    return walked


def _key(path: Path, root: Path) -> str:
    return portable_key(path.relative_to(root).as_posix() if path != root else root.resolve().name)


def natural_order(path: Path) -> list[tuple[int, int | str]]:
    """2.png before 10.png."""
    pieces = re.split(r"(\d+)", path.name)
    return [(0, int(piece)) if piece.isdecimal() else (1, piece) for piece in pieces]


def portable_key(name: str) -> str:
    """The name as valid UTF-8: bytes that are none are percent-encoded."""
    return "".join(f"%{ord(c) - 0xDC00:02X}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in name)
