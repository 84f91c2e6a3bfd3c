"""The HDF5 file of keypoints: its reader (docs/format.md). `StoreWriter` writes it."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from poseprep.clip import Clip
from poseprep.errors import InputError
from poseprep.skeleton import HOLISTIC, Skeleton
from poseprep.store_file import StoreFile, is_hdf5
from poseprep.store_head import StoreHead, check_frames, tables_damaged
from poseprep.store_layout import CONFIDENCE_STEP, POINT_STEP, SCHEMA, Problem, one_line
from poseprep.store_writer import StoreWriter

__all__ = ["POINT_STEP", "SCHEMA", "KeypointStore", "Problem", "StoreWriter", "is_hdf5"]

_Indices = np.ndarray | slice


class KeypointStore:
    """Reads a store. A whole part comes as one array, a clip by its key.

        with KeypointStore("out.h5") as store:
            clip = store.clip("hello/anna_1.mp4")
            hands = store.part("left_hand")  # (F, 21, 3), all clips end to end

    Opening checks all that is no frame; points are read when asked for (`verify` checks them, too).

    Args:
        check_tables: whether a wrong checksum is an error; else see `tables_damaged`.

    Attributes:
        keys: of the clips, N of them, rising.
        columns: every column of /clips, (N,) each.
        problems: videos that could not be stored whole.
        frames: F, the frames of all clips together.
        labels_from: "folders" or "table"; empty where that is not known.
        shard: which part of the videos these are, such as "3/16"; empty for all of them.

    Raises:
        InputError: no such file, no store, another schema, or damaged; reading may tell it later.
    """

    def __init__(self, path: str | Path, check_tables: bool = True):
        self.path = Path(path)
        self._file = StoreFile(self.path)
        try:
            self._take(StoreHead(self._file))
            check_frames(self._file, self._head)
            damage = self.tables_damaged() if check_tables else ""
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, OSError) as error:
            self.close()
            raise InputError(
                f"{path}: an HDF5 file, but not a keypoint store ({one_line(error)}); "
                "docs/format.md describes what a store holds"
            ) from error
        except InputError:
            self.close()
            raise
        if damage:
            self.close()
            raise InputError(
                f"{path}: {damage}; take it from a copy, or make it again with `slr extract`"
            )

    @staticmethod
    def create(
        path: str | Path,
        skeleton: Skeleton = HOLISTIC,
        settings: Mapping[str, Any] | None = None,
        landmarker: Mapping[str, Any] | None = None,
        videos: str | Path | None = None,
        labels_from: str = "",
        shard: str = "",
    ) -> StoreWriter:
        """A writer that puts a complete store at `path` when it is closed, or nothing.

        Args:
            settings: what decides the points, beside the landmarker.
            videos: the folder where the videos lie, so that they are found again.
            labels_from: "folders" or "table"; empty where that is not known.
            shard: which part of the videos these are, such as "3/16"; empty for all of them.
        """
        return StoreWriter(
            path, skeleton, settings or {}, landmarker or {}, videos, labels_from, shard
        )

    def _take(self, head: StoreHead) -> None:
        self._head, self.skeleton, self.columns = head, head.skeleton, head.columns
        self.schema, self.created, self.tool = head.schema, head.created, head.tool
        self.landmarker, self.settings = head.landmarker, head.settings
        self.labels_from, self.shard = head.labels_from, head.shard
        self.problems, self.frames = head.problems, head.frames
        self.keys: list[str] = self.columns["key"].tolist()
        self.starts, self.lengths = self.columns["start"], self.columns["length"]
        self.signs, self.signers = self.columns["sign"], self.columns["signer"]
        self.splits = self.columns["split"]
        self._rows = {key: i for i, key in enumerate(self.keys)}

    def tables_damaged(self) -> str:
        """What speaks against the skeleton and the tables; empty where they are as written."""
        return tables_damaged(self._file, self._head)

    def clip_row(self, key: str) -> dict[str, Any]:
        """A clip's row of /clips, by column; raises InputError where there is no such key."""
        row = self._row(key)
        return {name: column[row] for name, column in self.columns.items()}

    def _row(self, key: str) -> int:
        if key not in self._rows:
            near = [k for k in self.keys if key in k][:3]
            hint = f"did you mean {near}?" if near else f"`slr info {self.path} --clips` lists them"
            raise InputError(f"{self.path}: no clip {key!r} among {len(self.keys)}; {hint}")
        return self._rows[key]

    def clip(self, key: str) -> Clip:
        """One clip; raises InputError where there is no such key."""
        row = self._row(key)
        return self._read_clip(row, 0, int(self.lengths[row]))

    def pieces(self, key: str, frames: int = 1024) -> Iterator[Clip]:
        """One clip in pieces of at most so many frames: a long one need not be held whole."""
        row = self._row(key)
        for start in range(0, int(self.lengths[row]), frames):
            yield self._read_clip(row, start, min(start + frames, int(self.lengths[row])))

    def _read_clip(self, index: int, first: int, last: int) -> Clip:
        """The frames first : last of a clip."""
        row = {name: column[index] for name, column in self.columns.items()}
        start, stop = int(row["start"]) + first, int(row["start"]) + last
        parts = list(self.skeleton.parts)
        sources = [self.part_source(part, start, stop) for part in parts]
        confidences = [self.part_confidence(part, start, stop) for part in parts]
        try:
            return Clip(
                key=row["key"],
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
                file_bytes=int(row["file_bytes"]),
                file_modified=int(row["file_modified"]),
                skeleton=self.skeleton,
            )
        except ValueError as error:
            raise InputError(f"{self.path}: not as docs/format.md says: {error}") from error

    def clips(self) -> Iterator[Clip]:
        """Every clip, in the order of the keys."""
        return map(self.clip, self.keys)

    def times(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """(F,) float64 seconds, each clip from the start of its own video."""
        return self._file.read("frames/time", start, stop)

    def part(
        self, name: str, start: int = 0, stop: int | None = None
    ) -> Float[np.ndarray, "F Vp 3"]:
        """One part's points of all frames (or of `start:stop`), NaN where missing."""
        start, stop, _ = slice(start, stop).indices(self.frames)
        return self._file.read_points(f"frames/{name}/points", start, max(start, stop))

    def part_confidence(
        self, name: str, start: int = 0, stop: int | None = None
    ) -> Float[np.ndarray, "F Vp"]:
        """One part's confidence, 0..1, for each point."""
        steps: UInt8[np.ndarray, ...] = self._file.read(f"frames/{name}/confidence", start, stop)
        where = self.skeleton.parts[name]
        if steps.ndim == 1:
            steps = np.broadcast_to(steps[:, None], (len(steps), where.stop - where.start))
        return steps.astype(np.float32) * np.float32(CONFIDENCE_STEP)

    def part_source(
        self, name: str, start: int = 0, stop: int | None = None
    ) -> UInt8[np.ndarray, " F"]:
        """Where a part of each frame came from: 0 missing, 1 detected, …; docs/format.md."""
        return self._file.read(f"frames/{name}/source", start, stop)

    def stored(self, name: str, start: int, stop: int) -> np.ndarray:
        """Rows of a dataset below /frames, such as `face/confidence`, as they are stored."""
        read = self._file.read_points if name.endswith("/points") else self._file.read
        return read(f"frames/{name}", start, stop)

    def chunk_frames(self, name: str) -> int:
        """How many rows of a dataset below /frames are compressed, and damaged, together."""
        return self._file.chunk_frames(f"frames/{name}")

    def points(self, names: Iterable[str]) -> Float[np.ndarray, "F V 3"]:
        """Some points of all frames, in the order asked. Parts nobody asks for are not read."""
        wanted = self.skeleton.indices(names)
        points = np.empty((self.frames, len(wanted), 3), np.float32)
        for part, places, columns in self._by_part(wanted):
            name, out = f"frames/{part}/points", points[:, places]
            self._file.read_points(name, 0, self.frames, columns, out)
            if not isinstance(places, slice):  # then `out` is a copy
                points[:, places] = out
        return points

    def confidence(self, names: Iterable[str]) -> Float[np.ndarray, "F V"]:
        """The confidence of some points of all frames, in the order asked."""
        wanted = self.skeleton.indices(names)
        confidence = np.empty((self.frames, len(wanted)), np.float32)
        for part, places, columns in self._by_part(wanted):
            confidence[:, places] = self.part_confidence(part)[:, columns]
        return confidence

    def _by_part(self, wanted: np.ndarray) -> Iterator[tuple[str, _Indices, _Indices]]:
        """Part, places among the wanted points, and columns of the part, for each part in use."""
        for part, where in self.skeleton.parts.items():
            places = np.flatnonzero((wanted >= where.start) & (wanted < where.stop))
            if len(places):
                yield part, _as_slice(places), _as_slice(wanted[places] - where.start)

    def videos_folder(self) -> Path:
        """Where the videos lay when they were extracted; recorded relative to the store.

        Raises:
            InputError: the store does not say.
        """
        folder = self._file.attrs.get("videos")
        if not isinstance(folder, str):
            raise InputError(f"{self.path}: does not say where its videos are; give --videos")
        return self.path.resolve().parent / folder

    def content_hash(self) -> str:
        """SHA-256 over the points' names and every clip's key, times and points.

        Labels may differ between equal stores.
        """
        digest = hashlib.sha256("".join(f"{name}\n" for name in self.skeleton.names).encode())
        for key, points in zip(self.keys, self.columns["points_sha256"], strict=True):
            digest.update(f"{key}\0{points}\n".encode())
        return digest.hexdigest()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "KeypointStore":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _as_slice(indices: np.ndarray) -> _Indices:
    """Neighbours in order as a slice, which NumPy reads and writes without a copy."""
    first, count = int(indices[0]), len(indices)
    neighbours = (indices == np.arange(first, first + count)).all()
    return slice(first, first + count) if neighbours else indices
