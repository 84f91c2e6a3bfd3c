"""Writes a store: complete, or not at all."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
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
    TEXT,
    Problem,
    frame_datasets,
    one_line,
)
from poseprep.version import toolkit_version

_CHUNK_BYTES = 256 * 1024


class StoreWriter:
    """Writes clips, in the order of their keys, to a file beside `path` and moves it there.

    Leaving the `with` block completes the store; an exception leaves `path` as it was.

    Raises:
        InputError: `path` cannot be written, or the disk is full.
    """

    def __init__(
        self,
        path: str | Path,
        skeleton: Skeleton,
        settings: Mapping[str, Any],
        landmarker: Mapping[str, Any],
        videos: str | Path | None = None,
    ):
        self.path, self.skeleton = Path(path), skeleton
        self._last_key: str | None = None
        self._frames = 0
        self._columns: dict[str, list[Any]] = {name: [] for name in CLIP_COLUMNS}
        self._problems: list[Problem] = []
        self._undo = ExitStack()
        try:
            with self._writing():
                self._draft = Draft(self.path)
                self._undo.callback(self._draft.discard)
                # A dataset's cache (each has its own) must hold the chunk that is being filled.
                self._file = h5py.File(self._draft, "w", rdcc_nbytes=4 * _CHUNK_BYTES)
                self._undo.callback(_close_quietly, self._file)
                self._write_head(settings, landmarker, videos)
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

    def _write_head(
        self,
        settings: Mapping[str, Any],
        landmarker: Mapping[str, Any],
        videos: str | Path | None,
    ) -> None:
        attrs = self._file.attrs
        attrs["schema"] = SCHEMA
        attrs["created"] = _now()
        attrs["tool"] = f"slr-toolkit {toolkit_version()}"
        attrs["landmarker"] = json.dumps(dict(landmarker), sort_keys=True)
        attrs["settings"] = json.dumps(dict(settings), sort_keys=True)
        if videos is not None:
            folder = os.path.relpath(Path(videos).resolve(), self.path.resolve().parent)
            attrs.create("videos", os.fsencode(folder), dtype=TEXT)  # names may be no UTF-8

    def _write_skeleton(self) -> None:
        group = self._file.create_group("skeleton")
        group.create_dataset("names", data=list(self.skeleton.names), dtype=TEXT)
        group.create_dataset("edges", data=self.skeleton.edges.astype(np.int32))
        group.create_dataset("mirror", data=self.skeleton.mirror.astype(np.int32))
        slices = {part: (where.start, where.stop) for part, where in self.skeleton.parts.items()}
        group.attrs["parts"] = json.dumps(slices)

    def _make_frames(self) -> None:
        for name, (shape, dtype) in frame_datasets(self.skeleton).items():
            dataset = _growing(self._file, f"frames/{name}", shape, dtype)
            if name.endswith("/confidence"):
                dataset.attrs["step"] = CONFIDENCE_STEP

    def add(self, clip: Clip) -> None:
        """Append a clip.

        Raises:
            InputError: it cannot be written.
            ValueError: the key does not come after the last one, the clip has no frame or
                another skeleton, or points of one hand or face differ in confidence.
        """
        if self._last_key is not None and clip.key <= self._last_key:
            raise ValueError(f"keys must rise: {clip.key!r} came after {self._last_key!r}")
        if clip.skeleton.names != self.skeleton.names:
            raise ValueError(f"{clip.key}: the clip's skeleton is not the store's")
        if len(clip.time) == 0:
            raise ValueError(f"{clip.key}: expected a frame at least, found none")
        self._last_key = clip.key
        digest = hashlib.sha256(clip.time.astype("<f8").tobytes())
        with self._writing():
            self._append("time", clip.time)
            for i, (part, where) in enumerate(self.skeleton.parts.items()):
                points = np.round(clip.points[:, where] / POINT_STEP) * POINT_STEP
                points = points.astype("<f4")
                digest.update(points.tobytes())
                self._append(f"{part}/points", points)
                self._append(f"{part}/confidence", self._confidence_steps(clip, part))
                self._append(f"{part}/source", clip.source[:, i])
        row = {
            "start": self._frames,
            "length": len(clip.time),
            "points_sha256": digest.hexdigest(),
            **{
                name: getattr(clip, name)
                for name in ("key", "fps", "width", "height", "sha256", "sign", "signer", "split")
            },
        }
        for name, values in self._columns.items():
            values.append(row[name])
        self._frames += len(clip.time)

    def _append(self, name: str, values: np.ndarray) -> None:
        dataset = self._file[f"frames/{name}"]
        start = len(dataset)
        dataset.resize(start + len(values), axis=0)
        dataset[start:] = values

    def _confidence_steps(self, clip: Clip, part: str) -> np.ndarray:
        confidence = clip.confidence[:, self.skeleton.parts[part]]
        # Present is never rounded to missing: at least one step.
        steps = np.maximum(np.round(confidence / CONFIDENCE_STEP), confidence > 0).astype(np.uint8)
        if part in POINTWISE_PARTS:
            return steps
        if (steps != steps[:, :1]).any():
            raise ValueError(f"{clip.key}: the points of {part} must share one confidence a frame")
        return steps[:, 0]

    def add_problem(self, key: str, reason: str) -> None:
        """Record a video that could not be stored whole."""
        self._problems.append(Problem(key, reason, _now()))

    def close(self) -> None:
        """Complete the file and move it to its place, at once."""
        rows = sorted(self._problems, key=lambda problem: problem.key)
        problems = {name: [getattr(row, name) for row in rows] for name in PROBLEM_COLUMNS}
        with self._writing():
            write_table(self._file, "clips", CLIP_COLUMNS, self._columns)
            write_table(self._file, "problems", PROBLEM_COLUMNS, problems)
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


def write_table(
    file: h5py.File, name: str, dtypes: dict[str, Any], columns: Mapping[str, list[Any]]
) -> None:
    """Equally long columns, as datasets of one group."""
    for column, dtype in dtypes.items():
        values = np.array(columns[column], dtype=dtype)
        file.create_dataset(f"{name}/{column}", data=values, dtype=dtype)


def _growing(file: h5py.File, name: str, shape: tuple[int, ...], dtype: type) -> h5py.Dataset:
    """An empty, compressed dataset that grows along its first axis, the frames."""
    frame_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    chunk_frames = max(1, min(4096, _CHUNK_BYTES // frame_bytes))
    return file.create_dataset(
        name,
        shape=(0, *shape),
        maxshape=(None, *shape),
        chunks=(chunk_frames, *shape),
        dtype=dtype,
        shuffle=True,
        compression="gzip",
        compression_opts=1,
        fletcher32=True,
    )


def _close_quietly(file: h5py.File) -> None:
    with suppress(OSError, RuntimeError):
        file.close()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
