"""Writes a store: complete, or not at all."""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from poseprep.clip import Clip
from poseprep.errors import InputError
from poseprep.files import Draft
from poseprep.skeleton import Skeleton
from poseprep.stopping import stopping_waits
from poseprep.store_layout import (
    CLIP_COLUMNS,
    CONFIDENCE_STEP,
    POINT_STEP,
    POINTWISE_PARTS,
    PROBLEM_COLUMNS,
    SCHEMA,
    TABLES,
    TEXT,
    Problem,
    frame_datasets,
    one_line,
    points_sha256,
    tables_sha256,
)
from poseprep.version import toolkit_version

# Frames wait until there are so many, so that every chunk is compressed and written once.
_BLOCK_FRAMES = 1024
# A chunk's, in frames: a power of two, so that blocks are whole chunks.
_CHUNK_BYTES = 256 * 1024
_GZIP_LEVEL = 4  # above it, writing takes longer and hardly a byte is saved
# A dataset's cache (each has its own) must hold the chunks that are being filled.
_CACHE_BYTES = 8 * _CHUNK_BYTES
# Of this version on, HDF5 keeps checksums of its own structures, too.
import os as _o

GZIP = int(_o.environ.get("GZ", "1"))
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
        self._frames = 0
        self._head = _head(self.path, settings, landmarker, videos, labels_from, shard)
        self._columns: dict[str, list[Any]] = {name: [] for name in CLIP_COLUMNS}
        self._problems: list[Problem] = []
        self._undo = ExitStack()
        try:
            with self._writing():
                self._draft = Draft(self.path)
                self._undo.callback(self._draft.discard)
                self._file = h5py.File(self._draft, "w", rdcc_nbytes=_CACHE_BYTES, libver=LIBVER)
                self._undo.callback(_close_quietly, self._file)
                self._write_skeleton()
                self._make_frames()
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

    def _write_skeleton(self) -> None:
        group = self._file.create_group("skeleton")
        group.create_dataset("names", data=list(self.skeleton.names), dtype=TEXT)
        group.create_dataset("edges", data=self.skeleton.edges.astype(np.int32))
        group.create_dataset("mirror", data=self.skeleton.mirror.astype(np.int32))
        slices = {part: (where.start, where.stop) for part, where in self.skeleton.parts.items()}
        group.attrs["parts"] = json.dumps(slices)

    def _make_frames(self) -> None:
        self._waiting: dict[str, list[np.ndarray]] = {}
        for name, (shape, dtype) in frame_datasets(self.skeleton).items():
            self._waiting[name] = []
            dataset = _growing(self._file, f"frames/{name}", shape, dtype)
            if name.endswith("/confidence"):
                dataset.attrs["step"] = CONFIDENCE_STEP

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
        start, last_time = self._frames, -math.inf
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
            self._write_frames(piece, digests)
        if first is None:
            raise ValueError("expected a clip of a frame at least, found none")
        row = {
            "start": start,
            "length": self._frames - start,
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

    def _write_frames(self, piece: Clip, digests: Mapping[str, Any]) -> None:
        frames = {"time": piece.time.astype("<f8")}
        for i, (part, where) in enumerate(self.skeleton.parts.items()):
            frames[f"{part}/points"] = _rounded(piece.points[:, where])
            frames[f"{part}/confidence"] = self._confidence_steps(piece, part)
            frames[f"{part}/source"] = piece.source[:, i]
        for name, values in frames.items():
            digests[name].update(np.ascontiguousarray(values))
            self._waiting[name].append(values)
        self._frames += len(piece.time)
        self._write_waiting(whole_blocks=True)

    def _write_waiting(self, whole_blocks: bool) -> None:
        """Write the frames that wait; those of a block begun only if asked for."""
        written = len(self._file["frames/time"])
        stop = self._frames - self._frames % _BLOCK_FRAMES if whole_blocks else self._frames
        if stop <= written:
            return
        with self._writing():
            for name, pieces in self._waiting.items():
                values = np.concatenate(pieces)
                self._waiting[name] = [values[stop - written :].copy()]
                self._append(self._file[f"frames/{name}"], values[: stop - written])

    def _append(self, dataset: h5py.Dataset, values: np.ndarray) -> None:
        start = len(dataset)
        dataset.resize(start + len(values), axis=0)
        if values.ndim < 3:
            dataset[start:] = values
        else:  # one coordinate at a time, as they are chunked: many times faster
            for axis in range(values.shape[2]):
                dataset[start:, :, axis] = np.ascontiguousarray(values[:, :, axis])

    def _confidence_steps(self, clip: Clip, part: str) -> np.ndarray:
        confidence = clip.confidence[:, self.skeleton.parts[part]]
        # Present is never rounded to missing: at least one step.
        steps = np.maximum(np.round(confidence / CONFIDENCE_STEP), confidence > 0).astype(np.uint8)
        if part in POINTWISE_PARTS:
            return steps
        if (steps != steps[:, :1]).any():
            raise ValueError(f"{clip.key}: the points of {part} must share one confidence a frame")
        return steps[:, 0]

    def add_problem(
        self,
        key: str,
        reason: str,
        file_bytes: int = 0,
        file_modified: int = 0,
        when: str | None = None,
    ) -> None:
        """Record a video that could not be stored whole; `when` is now where it is not given."""
        self._problems.append(Problem(key, reason, when or _now(), file_bytes, file_modified))

    def close(self) -> None:
        """Complete the file and move it to its place, at once."""
        rows = sorted(self._problems, key=lambda problem: problem.key)
        problems = {name: [getattr(row, name) for row in rows] for name in PROBLEM_COLUMNS}
        self._write_waiting(whole_blocks=False)
        with self._writing():
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


def write_tables(
    file: h5py.File,
    head: Mapping[str, Any],
    clips: Mapping[str, list[Any]],
    problems: Mapping[str, list[Any]],
) -> None:
    """The attributes of the root and the tables, and the checksum over them and the skeleton."""
    for name, value in head.items():
        text = isinstance(value, str)  # names of folders may be no UTF-8
        file.attrs.create(name, os.fsencode(value) if text else value, dtype=TEXT if text else None)
    for name, dtypes, columns in (
        ("clips", CLIP_COLUMNS, clips),
        ("problems", PROBLEM_COLUMNS, problems),
    ):
        for column, dtype in dtypes.items():
            values = np.array(columns[column], dtype=dtype)
            file.create_dataset(f"{name}/{column}", data=values, dtype=dtype)
    tables = {name: _values(file[name]) for name in TABLES}
    parts = file["skeleton"].attrs["parts"]
    file.attrs["tables_sha256"] = tables_sha256(file.attrs, parts, tables)


def _values(dataset: h5py.Dataset) -> np.ndarray:
    return (dataset.asstr() if dataset.dtype == object else dataset)[:]


def _head(
    path: Path,
    settings: Mapping[str, Any],
    landmarker: Mapping[str, Any],
    videos: str | Path | None,
    labels_from: str,
    shard: str,
) -> dict[str, Any]:
    head = {
        "schema": SCHEMA,
        "created": _now(),
        "tool": f"slr-toolkit {toolkit_version()}",
        "landmarker": json.dumps(dict(landmarker), sort_keys=True),
        "settings": json.dumps(dict(settings), sort_keys=True),
        "labels": labels_from,
        "shard": shard,
    }
    if videos is not None:
        folder = os.path.relpath(Path(videos).resolve(), path.resolve().parent)
        head["videos"] = folder
    return {name: value for name, value in head.items() if value != ""}


def _rounded(points: np.ndarray) -> np.ndarray:
    """As they are stored: multiples of POINT_STEP, and every missing one the same NaN."""
    rounded = (np.round(points / POINT_STEP) * POINT_STEP).astype("<f4")
    rounded[np.isnan(rounded)] = np.nan
    return rounded


def _growing(file: h5py.File, name: str, shape: tuple[int, ...], dtype: type) -> h5py.Dataset:
    """An empty, compressed dataset that grows along its first axis, the frames.

    Each coordinate has chunks of its own: x beside x compresses a fifth better than beside y.
    """
    chunk_shape = (*shape[:-1], 1) if len(shape) == 2 else shape
    frame_bytes = int(np.prod(chunk_shape)) * np.dtype(dtype).itemsize
    chunk_frames = min(_BLOCK_FRAMES, 2 ** int(math.log2(max(1, _CHUNK_BYTES // frame_bytes))))
    return file.create_dataset(
        name,
        shape=(0, *shape),
        maxshape=(None, *shape),
        chunks=(chunk_frames, *chunk_shape),
        dtype=dtype,
        shuffle=True,
        compression="gzip",
        compression_opts=_GZIP_LEVEL,
        fletcher32=True,
    )


def _close_quietly(file: h5py.File) -> None:
    with suppress(OSError, RuntimeError):
        file.close()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
