"""What lies where in a store (docs/format.md): said once, for the reader and the writer."""

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from poseprep.skeleton import Skeleton

SCHEMA = 1

# Points are rounded once, on writing, to multiples of this: at most 1.53e-5 of the frame
# height off (0.017 px of 1080p), and half the bytes compress away.
POINT_STEP = 2.0**-15
CONFIDENCE_STEP = 1 / 255
# Parts whose confidence differs from point to point; the others share one a frame.
POINTWISE_PARTS = ("body",)

TEXT = h5py.string_dtype("utf-8")
CLIP_COLUMNS: dict[str, Any] = {
    "key": TEXT,
    "start": np.int64,
    "length": np.int64,
    "fps": np.float64,
    "width": np.int32,
    "height": np.int32,
    "sha256": TEXT,
    "points_sha256": TEXT,
    "sign": TEXT,
    "signer": TEXT,
    "split": TEXT,
}
PROBLEM_COLUMNS: dict[str, Any] = {"key": TEXT, "reason": TEXT, "when": TEXT}


@dataclass(frozen=True)
class Problem:
    """A video that could not be stored whole, why, and when (ISO 8601, UTC)."""

    key: str
    reason: str
    when: str = ""


def frame_datasets(skeleton: Skeleton) -> dict[str, tuple[tuple[int, ...], type]]:
    """Everything under /frames: name → the shape of one frame, and the type."""
    datasets: dict[str, tuple[tuple[int, ...], type]] = {"time": ((), np.float64)}
    for part, where in skeleton.parts.items():
        points = where.stop - where.start
        datasets[f"{part}/points"] = (points, 3), np.float32
        datasets[f"{part}/confidence"] = (points,) if part in POINTWISE_PARTS else (), np.uint8
        datasets[f"{part}/source"] = (), np.uint8
    return datasets


def one_line(error: Exception) -> str:
    """What HDF5 has to say, often over several lines, as one."""
    return " ".join(str(error).split())
