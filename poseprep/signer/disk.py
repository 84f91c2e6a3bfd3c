"""A drawn corpus on disk: whose a folder is, and videos that are written whole."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from poseprep.errors import InputError
from poseprep.store import KeypointStore

DRAWN = "drawn signer"
"""The landmarker's name in the truth: what tells that a folder is ours, once it is drawn."""
MARKER = ".drawing"
"""A file that tells it while the corpus is being drawn, and after that was interrupted."""

_DRAFT = re.compile(r"\..+\.\d+\.tmp\.mp4")


def claim_folder(folder: Path, keys: set[str]) -> None:
    """Make a folder ready for a corpus of these videos, and mark it as one that is being drawn.

    Labels and truth of an older corpus go: they describe its videos, and those will change.

    Raises:
        InputError: the folder is somebody else's, or cannot be written. Nothing was changed.
    """
    videos = folder / "videos"
    for place in (folder, videos):
        if place.exists() and not place.is_dir():
            raise InputError(f"{place}: expected a folder to draw into, found a file")
    if folder.exists() and any(folder.iterdir()) and not _is_ours(folder):
        raise InputError(
            f"{folder}: holds something already that is no drawn corpus; choose another folder"
        )
    there = [path for path in videos.rglob("*") if not path.is_dir() or path.is_symlink()]
    drafts = {path for path in there if _DRAFT.fullmatch(path.name)}
    found = {path.relative_to(videos).as_posix() for path in there if path not in drafts}
    strangers = sorted(found - keys)
    if strangers:
        raise InputError(
            f"{videos}: expected nothing but this corpus, found {len(strangers)} other files "
            f"({strangers[0]}, ...); choose another folder or delete them"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARKER).touch()
        for path in (*drafts, *(folder / name for name in ("labels.csv", "signs.csv", "truth.h5"))):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder"
        ) from error


def _is_ours(folder: Path) -> bool:
    if (folder / MARKER).exists():
        return True
    try:
        with KeypointStore(folder / "truth.h5") as truth:
            return truth.landmarker.get("name") == DRAWN
    except InputError:
        return False


def write_video(path: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """Write RGB frames as MPEG-4. At every moment `path` holds a whole video or nothing.

    Raises:
        InputError: the video cannot be written there.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    writer, count = None, 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for frame in frames:
            if writer is None:
                size = frame.shape[1], frame.shape[0]
                codec = cv2.VideoWriter.fourcc(*"mp4v")
                writer = cv2.VideoWriter(str(temporary), codec, fps, size)
            count += 1
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        if writer is not None:
            writer.release()
            # OpenCV does not say it when the disk is full; the file's index is written last.
            if cv2.VideoCapture(str(temporary)).get(cv2.CAP_PROP_FRAME_COUNT) != count:
                raise OSError("no room, or not allowed")
            os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"{path}: the video cannot be written ({error.strerror or error}); "
            "make room, or choose another folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
