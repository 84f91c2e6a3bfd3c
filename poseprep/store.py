"""The HDF5 file of keypoints: the only place that knows its layout (docs/format.md)."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, UInt8

from poseprep.clip import Clip
from poseprep.errors import InputError
from poseprep.skeleton import HOLISTIC, Skeleton
from poseprep.version import toolkit_version

SCHEMA = 1

# Points are rounded once, on writing, to multiples of this: at most 1.53e-5 of the frame
# height off (0.017 px of 1080p), and half the bytes compress away.
POINT_STEP = 2.0**-15
CONFIDENCE_STEP = 1 / 255
# Parts whose confidence differs from point to point; the others share one a frame.
POINTWISE_PARTS = ("body",)

_CHUNK_BYTES = 256 * 1024
_TEXT = h5py.string_dtype("utf-8")
_CLIP_COLUMNS: dict[str, Any] = {
    "key": _TEXT,
    "start": np.int64,
    "length": np.int64,
    "fps": np.float64,
    "width": np.int32,
    "height": np.int32,
    "sha256": _TEXT,
    "points_sha256": _TEXT,
    "sign": _TEXT,
    "signer": _TEXT,
    "split": _TEXT,
}
_PROBLEM_COLUMNS: dict[str, Any] = {"key": _TEXT, "reason": _TEXT, "when": _TEXT}


@dataclass(frozen=True)
class Problem:
    """A video that could not be stored whole, why, and when (ISO 8601, UTC)."""

    key: str
    reason: str
    when: str = ""


class KeypointStore:
    """Reads a store. A whole part comes as one array, a clip by its key.

        with KeypointStore("out.h5") as store:
            clip = store.clip("hello/anna_1.mp4")
            hands = store.part("left_hand")  # (F, 21, 3), all clips end to end

    Raises:
        InputError: there is no such file, it is no store, or of another schema.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(
                f"{path}: expected a keypoint store, found no such file; "
                "make one with `slr extract VIDEOS OUT.h5`"
            )
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise InputError(
                f"{path}: expected a keypoint store (HDF5), found something that does not open "
                f"as one ({_one_line(error)}); make it again with `slr extract VIDEOS {path}`"
            ) from error
        try:
            self._read_head()
        except (KeyError, ValueError, TypeError) as error:
            self.close()
            raise InputError(
                f"{path}: an HDF5 file, but not a keypoint store ({_one_line(error)}); "
                "docs/format.md describes what a store holds"
            ) from error
        except InputError:
            self.close()
            raise

    @staticmethod
    def create(
        path: str | Path,
        skeleton: Skeleton = HOLISTIC,
        settings: Mapping[str, Any] | None = None,
        landmarker: Mapping[str, Any] | None = None,
    ) -> "StoreWriter":
        """A writer that puts a complete store at `path` when it is closed, or nothing."""
        return StoreWriter(path, skeleton, settings or {}, landmarker or {})

    def _read_head(self) -> None:
        schema = self._file.attrs["schema"]
        if schema != SCHEMA:
            raise InputError(
                f"{self.path}: schema {schema}, this version reads {SCHEMA}; run `slr extract` "
                f"again, or install the slr-toolkit that wrote it "
                f"({self._file.attrs.get('tool', 'version unknown')})"
            )
        self.created = str(self._file.attrs["created"])
        self.tool = str(self._file.attrs["tool"])
        self.landmarker: dict[str, Any] = json.loads(self._file.attrs["landmarker"])
        self.settings: dict[str, Any] = json.loads(self._file.attrs["settings"])
        self.skeleton = self._read_skeleton()
        # Every column of /clips, (N,) each, in the order of the keys.
        self.columns = {name: self._column(f"clips/{name}") for name in _CLIP_COLUMNS}
        self.keys: list[str] = self.columns["key"].tolist()
        self.starts, self.lengths = self.columns["start"], self.columns["length"]
        self.signs, self.signers = self.columns["sign"], self.columns["signer"]
        self.splits = self.columns["split"]
        self._rows = {key: i for i, key in enumerate(self.keys)}

    def _dataset(self, name: str) -> h5py.Dataset:
        """A dataset of this very file: a store from a stranger must not read other files."""
        dataset = self._file
        for step in name.split("/"):
            if not isinstance(dataset.get(step, getlink=True), h5py.HardLink):
                raise KeyError(f"/{name} is missing or lies in another file")
            dataset = dataset[step]
        if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
            raise KeyError(f"/{name} is not a plain dataset")
        return dataset

    def _column(self, name: str) -> np.ndarray:
        dataset = self._dataset(name)
        is_text = h5py.check_string_dtype(dataset.dtype) is not None
        return dataset.asstr()[:] if is_text else dataset[:]

    def _read_skeleton(self) -> Skeleton:
        slices = json.loads(self._file["skeleton"].attrs["parts"])
        return Skeleton(
            names=tuple(self._column("skeleton/names")),
            edges=self._column("skeleton/edges"),
            mirror=self._column("skeleton/mirror"),
            parts={part: slice(start, stop) for part, (start, stop) in slices.items()},
        )

    @property
    def problems(self) -> list[Problem]:
        """Videos that could not be stored whole."""
        columns = [self._column(f"problems/{name}") for name in _PROBLEM_COLUMNS]
        return [Problem(*row) for row in zip(*columns, strict=True)]

    @property
    def frames(self) -> int:
        """F, the frames of all clips together."""
        return len(self._dataset("frames/time"))

    def clip(self, key: str) -> Clip:
        """One clip; raises InputError where there is no such key."""
        if key not in self._rows:
            near = [k for k in self.keys if key in k][:3]
            hint = f"did you mean {near}?" if near else f"`slr info {self.path} --clips` lists them"
            raise InputError(f"{self.path}: no clip {key!r} among {len(self.keys)}; {hint}")
        row = {name: column[self._rows[key]] for name, column in self.columns.items()}
        start, stop = int(row["start"]), int(row["start"] + row["length"])
        parts = list(self.skeleton.parts)
        sources = [self._dataset(f"frames/{part}/source")[start:stop] for part in parts]
        confidences = [self.part_confidence(part, start, stop) for part in parts]
        return Clip(
            key=key,
            points=np.concatenate([self.part(part, start, stop) for part in parts], axis=1),
            confidence=np.concatenate(confidences, axis=1),
            time=self.times(start, stop),
            source=np.stack(sources, axis=1),
            width=int(row["width"]),
            height=int(row["height"]),
            fps=float(row["fps"]),
            sign=row["sign"],
            signer=row["signer"],
            split=row["split"],
            sha256=row["sha256"],
            skeleton=self.skeleton,
        )

    def clips(self) -> Iterator[Clip]:
        """Every clip, in the order of the keys."""
        return map(self.clip, self.keys)

    def times(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """(F,) float64 seconds, each clip from the start of its own video."""
        return self._dataset("frames/time")[start:stop]

    def part(
        self, name: str, start: int = 0, stop: int | None = None
    ) -> Float[np.ndarray, "F Vp 3"]:
        """One part's points of all frames (or of `start:stop`), NaN where missing."""
        return self._dataset(f"frames/{name}/points")[start:stop]

    def part_confidence(
        self, name: str, start: int = 0, stop: int | None = None
    ) -> Float[np.ndarray, "F Vp"]:
        """One part's confidence, 0..1, for each point."""
        steps: UInt8[np.ndarray, ...] = self._dataset(f"frames/{name}/confidence")[start:stop]
        where = self.skeleton.parts[name]
        if steps.ndim == 1:
            steps = np.broadcast_to(steps[:, None], (len(steps), where.stop - where.start))
        return steps.astype(np.float32) * np.float32(CONFIDENCE_STEP)

    def part_source(self, name: str) -> UInt8[np.ndarray, " F"]:
        """Where a part of each frame came from: 0 missing, 1 detected, …; docs/format.md."""
        return self._dataset(f"frames/{name}/source")[:]

    def points(self, names: Iterable[str]) -> Float[np.ndarray, "F V 3"]:
        """Some points of all frames, in the order asked. Parts nobody asks for are not read."""
        return self._gather(names, self.part, (3,))

    def confidence(self, names: Iterable[str]) -> Float[np.ndarray, "F V"]:
        """The confidence of some points of all frames, in the order asked."""
        return self._gather(names, self.part_confidence, ())

    def _gather(self, names: Iterable[str], read: Any, tail: tuple[int, ...]) -> np.ndarray:
        wanted = self.skeleton.indices(names)
        gathered = np.empty((self.frames, len(wanted), *tail), np.float32)
        for part, where in self.skeleton.parts.items():
            columns = np.flatnonzero((wanted >= where.start) & (wanted < where.stop))
            if len(columns):
                gathered[:, columns] = read(part)[:, wanted[columns] - where.start]
        return gathered

    def videos_folder(self) -> Path:
        """Where the videos lay when they were extracted; recorded relative to the store.

        Raises:
            InputError: the store does not say.
        """
        if "videos" not in self.settings:
            raise InputError(f"{self.path}: does not say where its videos are; give --videos")
        return self.path.parent / str(self.settings["videos"])

    def content_hash(self) -> str:
        """SHA-256 over every clip's key and points: labels may differ between equal stores."""
        digest = hashlib.sha256()
        for key, points in zip(self.keys, self.columns["points_sha256"], strict=True):
            digest.update(f"{key}\0{points}\n".encode())
        return digest.hexdigest()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "KeypointStore":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class StoreWriter:
    """Writes clips, in the order of their keys, to a file beside `path` and moves it there.

    Leaving the `with` block completes the store; an exception leaves `path` as it was.
    """

    def __init__(
        self,
        path: str | Path,
        skeleton: Skeleton,
        settings: Mapping[str, Any],
        landmarker: Mapping[str, Any],
    ):
        self.path, self.skeleton = Path(path), skeleton
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # The chunk cache must hold the open chunk of every dataset.
            self._file = h5py.File(self._temporary, "w", rdcc_nbytes=4 * _CHUNK_BYTES)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error}); choose another place"
            ) from error
        self._last_key: str | None = None
        self._frames = 0
        self._columns: dict[str, list[Any]] = {name: [] for name in _CLIP_COLUMNS}
        self._problems: list[Problem] = []
        attrs = self._file.attrs
        attrs["schema"] = SCHEMA
        attrs["created"] = _now()
        attrs["tool"] = f"slr-toolkit {toolkit_version()}"
        attrs["landmarker"] = json.dumps(dict(landmarker), sort_keys=True)
        attrs["settings"] = json.dumps(dict(settings), sort_keys=True)
        self._write_skeleton()
        self._make_frames()

    def _write_skeleton(self) -> None:
        group = self._file.create_group("skeleton")
        group.create_dataset("names", data=list(self.skeleton.names), dtype=_TEXT)
        group.create_dataset("edges", data=self.skeleton.edges.astype(np.int32))
        group.create_dataset("mirror", data=self.skeleton.mirror.astype(np.int32))
        slices = {part: (where.start, where.stop) for part, where in self.skeleton.parts.items()}
        group.attrs["parts"] = json.dumps(slices)

    def _make_frames(self) -> None:
        frames = self._file.create_group("frames")
        _growing(frames, "time", (), np.float64)
        for part, where in self.skeleton.parts.items():
            group, points = frames.create_group(part), where.stop - where.start
            _growing(group, "points", (points, 3), np.float32)
            shape = (points,) if part in POINTWISE_PARTS else ()
            _growing(group, "confidence", shape, np.uint8).attrs["step"] = CONFIDENCE_STEP
            _growing(group, "source", (), np.uint8)

    def add(self, clip: Clip) -> None:
        """Append a clip.

        Raises:
            ValueError: the key does not come after the last one, the skeleton is another, or
                points of one hand or face differ in confidence.
        """
        if self._last_key is not None and clip.key <= self._last_key:
            raise ValueError(f"keys must rise: {clip.key!r} came after {self._last_key!r}")
        if clip.skeleton.names != self.skeleton.names:
            raise ValueError(f"{clip.key}: the clip's skeleton is not the store's")
        self._last_key = clip.key
        digest = hashlib.sha256()
        frames = self._file["frames"]
        _append(frames["time"], clip.time)
        for i, (part, where) in enumerate(self.skeleton.parts.items()):
            points = np.round(clip.points[:, where] / POINT_STEP) * POINT_STEP
            points = points.astype(np.float32)
            digest.update(points.tobytes())
            _append(frames[part]["points"], points)
            _append(frames[part]["confidence"], self._confidence_steps(clip, part))
            _append(frames[part]["source"], clip.source[:, i])
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
        clips = self._file.create_group("clips")
        for name, dtype in _CLIP_COLUMNS.items():
            clips.create_dataset(name, data=np.array(self._columns[name], dtype=dtype), dtype=dtype)
        problems = self._file.create_group("problems")
        rows = sorted(self._problems, key=lambda problem: problem.key)
        for name, dtype in _PROBLEM_COLUMNS.items():
            values = np.array([getattr(problem, name) for problem in rows], dtype=dtype)
            problems.create_dataset(name, data=values, dtype=dtype)
        self._file.close()
        with open(self._temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(self._temporary, self.path)

    def discard(self) -> None:
        """Leave `path` as it was."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

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


def _growing(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: type) -> h5py.Dataset:
    """An empty, compressed dataset that grows along its first axis, the frames."""
    frame_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    chunk_frames = max(1, min(4096, _CHUNK_BYTES // frame_bytes))
    return group.create_dataset(
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


def _append(dataset: h5py.Dataset, values: np.ndarray) -> None:
    start = len(dataset)
    dataset.resize(start + len(values), axis=0)
    dataset[start:] = values


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
