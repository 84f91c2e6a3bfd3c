"""Writes a store: complete, or not at all."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py

from poseprep.clip import Clip
from poseprep.errors import InputError
from poseprep.files import Draft
from poseprep.skeleton import Skeleton
from poseprep.stopping import stopping_waits
from poseprep.store_frames import CACHE_BYTES, FrameWriter, stored_rows
from poseprep.store_layout import (
    CLIP_COLUMNS,
    PROBLEM_COLUMNS,
    SCHEMA,
    Problem,
    frame_datasets,
    one_line,
    points_sha256,
)
from poseprep.store_tables import head_attributes, now, write_skeleton, write_tables

# Of this version on, HDF5 keeps checksums of its own structures, too.
LIBVER = ("v110", "v110")


class StoreWriter:
    """Writes clips, in the order of their keys, to a file beside `path` and moves it there.

    Leaving the `with` block completes the store; an exception leaves `path` as it was.

    Raises:
        InputError: `path` cannot be written, or the disk is full.
    """

    schema = SCHEMA

    def __init__(
        self,
        path: str | Path,
        skeleton: Skeleton,
        settings: Mapping[str, Any],
        landmarker: Mapping[str, Any],
        videos: str | Path | None = None,
        labels_from: str = "",
        shard: str = "",
    ):
        self.path, self.skeleton = Path(path), skeleton
        self._last_key: str | None = None
        self._head = head_attributes(self.path, settings, landmarker, videos, labels_from, shard)
        self._columns: dict[str, list[Any]] = {name: [] for name in CLIP_COLUMNS}
        self._problems: list[Problem] = []
        self._undo = ExitStack()
        try:
            with self._writing():
                self._draft = Draft(self.path)
                self._undo.callback(self._draft.discard)
                self._file = h5py.File(self._draft, "w", rdcc_nbytes=CACHE_BYTES, libver=LIBVER)
                self._undo.callback(_close_quietly, self._file)
                write_skeleton(self._file, skeleton)
                self._frames = FrameWriter(self._file, skeleton)
        except BaseException:
            self.discard()
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns what HDF5 and the disk refuse into a message; Ctrl-C amid it would be lost."""
        try:
            with stopping_waits():
                yield
                self._draft.check()
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{self.path}: cannot be written ({one_line(error)}); "
                "make room, or choose another place"
            ) from error

    def add(self, clip: Clip) -> str:
        """Append a clip; gives and raises what `add_pieces` does."""
        return self.add_pieces([clip])

    def add_pieces(self, pieces: Iterable[Clip]) -> str:
        """Append a clip that comes in pieces: clips of one key whose frames follow each other.

        Memory is for a piece, however long the clip. Gives the clip's `points_sha256`, which does
        not depend on where it was cut.

        Raises:
            InputError: it cannot be written.
            ValueError: the key does not come after the last one, the clip has no frame or another
                skeleton, time falls, or points of one hand or face differ in confidence.
        """
        first: Clip | None = None
        start, last_time = self._frames.count, -math.inf
        digests = {name: hashlib.sha256() for name in frame_datasets(self.skeleton)}
        for piece in pieces:
            if first is None:
                first = piece
                self._check_next(piece)
            if piece.key != first.key or not len(piece.time) or piece.time[0] < last_time:
                raise ValueError(f"{piece.key}: a piece that does not go on with {first.key}")
            if piece.skeleton.names != self.skeleton.names:
                raise ValueError(f"{piece.key}: the clip's skeleton is not the store's")
            last_time = float(piece.time[-1])
            rows = stored_rows(piece)
            for name, digest in digests.items():
                digest.update(rows[name].data)
            with self._writing():
                self._frames.append(rows)
        if first is None:
            raise ValueError("expected a clip of a frame at least, found none")
        row = {
            "start": start,
            "length": self._frames.count - start,
            "points_sha256": points_sha256(digests),
            **{name: getattr(first, name) for name in CLIP_COLUMNS if hasattr(first, name)},
        }
        for name, values in self._columns.items():
            values.append(row[name])
        return str(row["points_sha256"])

    def _check_next(self, clip: Clip) -> None:
        if self._last_key is not None and clip.key <= self._last_key:
            raise ValueError(f"keys must rise: {clip.key!r} came after {self._last_key!r}")
        if len(clip.time) == 0:
            raise ValueError(f"{clip.key}: expected a frame at least, found none")
        self._last_key = clip.key

    def add_problem(
        self,
        key: str,
        reason: str,
        file_bytes: int = 0,
        file_modified: int = 0,
        when: str | None = None,
    ) -> None:
        """Record a video that could not be stored whole; `when` is now where it is not given."""
        self._problems.append(Problem(key, reason, when or now(), file_bytes, file_modified))

    def close(self) -> None:
        """Complete the file and move it to its place, at once."""
        rows = sorted(self._problems, key=lambda problem: problem.key)
        problems = {name: [getattr(row, name) for row in rows] for name in PROBLEM_COLUMNS}
        with self._writing():
            self._frames.finish()
            write_tables(self._file, self._head, self._columns, problems)
            self._file.close()
            self._draft.keep()

    def discard(self) -> None:
        """Leave `path` as it was, whatever went wrong before."""
        with stopping_waits():
            self._undo.close()

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.discard()
            return
        try:
            self.close()
        except BaseException:
            self.discard()
            raise


def _close_quietly(file: h5py.File) -> None:
    with suppress(OSError, RuntimeError):
        file.close()
