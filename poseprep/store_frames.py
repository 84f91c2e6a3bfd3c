"""Frames as they are stored: rounded, in blocks, each coordinate in chunks of its own."""

import math
from collections.abc import Mapping

import h5py
import numpy as np

from poseprep.clip import Clip
from poseprep.skeleton import Skeleton
from poseprep.store_layout import (
    CONFIDENCE_STEP,
    POINT_STEP,
    POINTWISE_PARTS,
    frame_datasets,
)

# Frames wait until there are so many, so that every chunk is compressed and written once.
_BLOCK_FRAMES = 1024
# A chunk's, in frames: a power of two, so that blocks are whole chunks.
_CHUNK_BYTES = 256 * 1024
_GZIP_LEVEL = 2  # above it, writing takes longer and hardly a byte is saved
# A dataset's cache (each has its own) must hold the chunks that are being filled.
CACHE_BYTES = 8 * _CHUNK_BYTES


class FrameWriter:
    """Makes the datasets under /frames of a new store, and appends rows to them.

    Attributes:
        count: of the frames so far, those that wait to be written too.
    """

    def __init__(self, file: h5py.File, skeleton: Skeleton):
        self.count = self._written = 0
        self._datasets: dict[str, h5py.Dataset] = {}
        self._waiting: dict[str, list[np.ndarray]] = {}
        for name, (shape, dtype) in frame_datasets(skeleton).items():
            self._waiting[name] = []
            self._datasets[name] = _growing(file, f"frames/{name}", shape, dtype)
            if name.endswith("/confidence"):
                self._datasets[name].attrs["step"] = CONFIDENCE_STEP

    def append(self, rows: Mapping[str, np.ndarray]) -> None:
        """Take rows of every dataset; whole blocks are written, the rest waits."""
        for name, values in rows.items():
            self._waiting[name].append(values)
        self.count += len(rows["time"])
        self._write(self.count - self.count % _BLOCK_FRAMES)

    def finish(self) -> None:
        """Write what still waits."""
        self._write(self.count)

    def _write(self, stop: int) -> None:
        """Write the frames up to `stop`."""
        count = stop - self._written
        if count <= 0:
            return
        for name, pieces in self._waiting.items():
            values = np.concatenate(pieces)
            self._waiting[name] = [values[count:].copy()]
            _append(self._datasets[name], values[:count])
        self._written = stop


def stored_rows(piece: Clip) -> dict[str, np.ndarray]:
    """The frames of a clip as rows of the datasets under /frames, contiguous.

    Raises:
        ValueError: points of one hand or face differ in confidence.
    """
    rows = {"time": piece.time.astype("<f8")}
    for i, (part, where) in enumerate(piece.skeleton.parts.items()):
        rows[f"{part}/points"] = _rounded(piece.points[:, where])
        rows[f"{part}/confidence"] = _confidence_steps(piece, part)
        rows[f"{part}/source"] = piece.source[:, i]
    return {name: np.ascontiguousarray(values) for name, values in rows.items()}


def _append(dataset: h5py.Dataset, values: np.ndarray) -> None:
    start = len(dataset)
    dataset.resize(start + len(values), axis=0)
    if values.ndim < 3:
        dataset[start:] = values
    else:  # one coordinate at a time, as they are chunked: many times faster
        for axis in range(values.shape[2]):
            dataset[start:, :, axis] = np.ascontiguousarray(values[:, :, axis])


def _rounded(points: np.ndarray) -> np.ndarray:
    """As they are stored: multiples of POINT_STEP, and every missing one the same NaN."""
    rounded = (np.round(points / POINT_STEP) * POINT_STEP).astype("<f4")
    rounded[np.isnan(rounded)] = np.nan
    return rounded


def _confidence_steps(clip: Clip, part: str) -> np.ndarray:
    confidence = clip.confidence[:, clip.skeleton.parts[part]]
    # Present is never rounded to missing: at least one step.
    steps = np.maximum(np.round(confidence / CONFIDENCE_STEP), confidence > 0).astype(np.uint8)
    if part in POINTWISE_PARTS:
        return steps
    if (steps != steps[:, :1]).any():
        raise ValueError(f"{clip.key}: the points of {part} must share one confidence a frame")
    return steps[:, 0]


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
