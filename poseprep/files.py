"""Files that appear at once: written beside their place, then moved there."""

import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any


class Draft:
    """A file beside `path`, open for writing, that becomes `path` when it is complete.

    It never fails half way: after a first error (a full disk) it drops what it is given and keeps
    the error, because HDF5 crashes the interpreter when a write to its file fails. `check` raises
    it. What killed processes left beside `path` is removed; a draft in use is locked.

    It is a file to h5py (`read`, `seek`, … as in `io.RawIOBase`).

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path):
        # Through a link, so that the link stays and its target is replaced.
        self._place = path.resolve()
        self._place.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(self._place)
        self.path = self._place.with_name(f".{self._place.name}.{os.getpid()}.tmp")
        self._file = open(self.path, "w+b", buffering=0)  # noqa: SIM115
        with suppress(OSError):  # a file system without locks: leftovers stay there
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            rest = memoryview(data)
            while rest and self._error is None:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._error = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        try:
            return self._file.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def read(self, size: int = -1) -> bytes | None:
        return self._file.read(size)

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        """Nothing is buffered."""

    def check(self) -> None:
        """Raises the OSError that a write met, if one did."""
        if self._error is not None:
            raise self._error

    def keep(self) -> None:
        """Move it to its place, at once.

        Raises:
            OSError: a write failed, or it cannot be moved.
        """
        self.check()
        os.fsync(self._file.fileno())
        os.replace(self.path, self._place)
        sync_folder(self._place.parent)
        self._file.close()

    def discard(self) -> None:
        """Leave the place as it was, or as `keep` made it. Never raises."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self._file.close()


def sync_folder(folder: Path) -> None:
    """Make names given in a folder outlast a power cut, where the file system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Write a small file: all of it, or nothing.

    Raises:
        OSError: it cannot be written.
    """
    draft = Draft(path)
    try:
        draft.write(data)
        draft.keep()
    finally:
        draft.discard()


def _remove_leftovers(place: Path) -> None:
    ours = re.compile(re.escape(f".{place.name}.") + r"\d+\.tmp")
    for path in place.parent.iterdir():
        if not ours.fullmatch(path.name):
            continue
        try:
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
        except OSError:  # somebody still writes it, or it is not ours to remove
            continue
