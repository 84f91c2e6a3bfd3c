"""Find videos on disk, and name them."""

import errno
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from poseprep.errors import InputError

VIDEO_ENDINGS = frozenset(
    ".3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()
)
IMAGE_ENDINGS = frozenset(".bmp .jpeg .jpg .png .tif .tiff .webp".split())

_SEGMENT = re.compile(r"#(\d+\.\d{3}-(?:\d+\.\d{3}|end))$")


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

    def absolute(self) -> "Video":
        """The same, wherever one stands."""
        images = tuple(image.absolute() for image in self.images)
        return replace(self, path=self.path.absolute(), images=images)


@dataclass(frozen=True)
class Found:
    """What a folder holds.

    Attributes:
        videos: in the order of their keys; also those that turn out to be no videos.
        others: files left alone: of no video's kind, pictures beside videos, hidden videos.
        unreadable: key → why, of folders whose videos, if they hold any, cannot be seen.
    """

    videos: list[Video]
    others: list[Path] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


def find_videos(root: str | Path, fps: float | None = None) -> Found:
    """Every video below `root`, or `root` itself where it is a video file.

    A folder that holds images, and no video anywhere below, counts as one video with `fps`
    frames a second; folders of images inside it count, too. Links are followed, each folder
    once. Nothing but folders is opened: whether a video is one shows when it is read.

    Raises:
        InputError: `root` is not there or holds no video, two videos would have one key, or
            there are folders of images and no `fps`.
    """
    root = Path(root)
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise InputError(f"--fps {fps}: expected a number of frames a second above 0")
    if not _is_folder(root):
        return Found([_single(root)])
    found = Found([])
    folders_of_images: dict[Path, list[Path]] = {}
    walked = []
    for folder, files in _walk(root, found.unreadable):
        walked.append(folder)
        images = []
        for file in files:
            ending = file.suffix.lower()
            if file.name.startswith("."):
                # Left alone, and told; not so what macOS writes beside every file (._name).
                if ending in VIDEO_ENDINGS and not file.name.startswith("._"):
                    found.others.append(file)
            elif ending in VIDEO_ENDINGS:
                found.videos.append(Video(_key(file, root), file))
            elif ending in IMAGE_ENDINGS:
                images.append(file)
            else:
                found.others.append(file)
        if images:
            folders_of_images[folder] = sorted(images, key=natural_order)
    used = {folder for video in found.videos for folder in video.path.parents}
    for folder, images in folders_of_images.items():
        if folder in used:
            found.others.extend(images)  # thumbnails or a logo beside videos are no video
        elif fps is None:
            raise InputError(
                f"{folder}: a folder of images; say how many frames a second they are with --fps"
            )
        else:
            found.videos.append(Video(_folder_key(folder, root), folder, tuple(images), fps))
    used.update(parent for folder in folders_of_images for parent in (folder, *folder.parents))
    for folder in walked:
        if folder.suffix.lower() in VIDEO_ENDINGS and folder not in used:
            key = _key(folder, root)
            found.unreadable.setdefault(key, "a folder named like a video, without one inside")
    _check_some(root, found)
    found.videos.sort(key=lambda video: video.key)
    for one, other in zip(found.videos, found.videos[1:], strict=False):
        if one.key == other.key:
            raise InputError(
                f"{one.path} and {other.path} would both have the key {one.key!r}; rename one"
            )
    return found


def find_video(root: str | Path, key: str, fps: float) -> Video:
    """The video below `root` that `find_videos` gives this key, or `root` itself if it is a file.

    The key may be a segment's: then it is the video that the segment is of.

    Raises:
        InputError: there is none.
    """
    root, (key, _) = Path(root), split_key(key)
    # Most keys lead there: it need not be searched for among a hundred thousand.
    path = root / key
    if _is_plain(key) and path.suffix.lower() in VIDEO_ENDINGS and path.is_file():
        return Video(key, path)
    videos = find_videos(root, fps).videos
    for video in videos:
        if video.key == key or root.is_file():
            return video
    raise InputError(f"{root}: holds {len(videos)} videos, but not {key!r}")


def split_key(key: str) -> tuple[str, str]:
    """The video's key and the segment's seconds: `talk.mp4`, `1.200-2.840`; or "" for no segment.

    No video's own key ends like a segment's: see `find_videos`.
    """
    name = _SEGMENT.sub("", key)
    if name == key or not name or name.endswith("/"):
        return key, ""
    return name, key[len(name) + 1 :]


def in_words(error: OSError, what: str = "file") -> str:
    """Why a file or folder cannot be read, for people."""
    reasons = {
        errno.ENOENT: f"the {what} is not there any more",
        errno.ENOTDIR: f"the {what} is not there any more",
        errno.EACCES: f"the {what} may not be read: its permissions forbid it",
        errno.EPERM: f"the {what} may not be read: its permissions forbid it",
        errno.ELOOP: "a link that leads back to itself",
        errno.EIO: f"the disk fails to read the {what}",
        errno.ESTALE: f"the {what} was lost on its file server",
        errno.ENAMETOOLONG: f"the path of the {what} is too long",
    }
    return reasons.get(error.errno or 0, f"the {what} cannot be read ({error.strerror or error})")


def _single(path: Path) -> Video:
    """The video where one is given instead of a folder."""
    try:
        path.stat()
    except OSError as error:
        raise InputError(
            f"{path}: expected a folder of videos, found nothing there ({in_words(error)})"
        ) from error
    if path.suffix.lower() not in VIDEO_ENDINGS:
        raise InputError(f"{path}: expected a video or a folder, found a {path.suffix!r} file")
    return Video(portable_key(path.name), path)


def _check_some(root: Path, found: Found) -> None:
    if found.videos:
        return
    if found.unreadable:
        key, reason = next(iter(found.unreadable.items()))
        more = f", and {len(found.unreadable) - 1} more" if len(found.unreadable) > 1 else ""
        raise InputError(f"{root}: no video found; {key}: {reason}{more}")
    raise InputError(
        f"{root}: no video found (endings looked for: {' '.join(sorted(VIDEO_ENDINGS))}; "
        f"or folders of images); {len(found.others)} other files are there"
    )


def _walk(root: Path, unreadable: dict[str, str]) -> Iterator[tuple[Path, list[Path]]]:
    """Every folder with its files, by name; hidden folders are left out.

    A folder that several ways lead to comes once: under its own place, where that is below
    `root`, rather than a link's. So keys hang neither on links nor on the disk's order.
    """
    folders, links, seen = [root], list[Path](), set[str]()
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        place = os.path.realpath(folder)
        if place in seen:
            continue
        seen.add(place)
        files = []
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            unreadable[_key(folder, root)] = in_words(error, "folder")
            continue
        for entry in entries:
            path = Path(entry.path)
            try:
                is_folder = entry.is_dir()
                if not is_folder and entry.is_symlink():
                    entry.stat()  # it may lead nowhere
            except OSError as error:
                is_folder = False
                if not _may_be_read_later(path):  # it may have led to a folder full of videos
                    unreadable[_key(path, root)] = in_words(error, "link's target")
                    continue
            if not is_folder:
                files.append(path)
            elif not path.name.startswith("."):
                (links if entry.is_symlink() else folders).append(path)
        yield folder, files


def _may_be_read_later(path: Path) -> bool:
    """Whether it will be told when it is read that this cannot be read, or need not be told."""
    return path.name.startswith(".") or path.suffix.lower() in VIDEO_ENDINGS | IMAGE_ENDINGS


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # Python 3.10 to 3.12: where one may not look
        return False


def _is_plain(key: str) -> bool:
    """Whether a key is the path that it says: below the folder, and not through hidden places."""
    parts = PurePosixPath(key).parts
    return "/".join(parts) == key and not any(part.startswith((".", "/")) for part in parts)


def _key(path: Path, root: Path) -> str:
    return portable_key(path.relative_to(root).as_posix() if path != root else root.resolve().name)


def _folder_key(path: Path, root: Path) -> str:
    """A folder may be named like a segment of another: its # is percent-encoded."""
    return _SEGMENT.sub(r"%23\1", _key(path, root))


def natural_order(path: Path) -> list[tuple[int, int | str]]:
    """2.png before 10.png."""
    pieces = re.split(r"(\d+)", path.name)
    return [(0, int(piece)) if piece.isdecimal() else (1, piece) for piece in pieces]


def portable_key(name: str) -> str:
    """The name as valid UTF-8: bytes that are none are percent-encoded."""
    return "".join(f"%{ord(c) - 0xDC00:02X}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in name)
