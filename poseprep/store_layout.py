"""What lies where in a store (docs/format.md): said once, for the reader and the writer."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from poseprep.skeleton import Skeleton

SCHEMA = 2
READABLE = (1, 2)

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
    "file_bytes": np.int64,
    "file_modified": np.int64,
}
PROBLEM_COLUMNS: dict[str, Any] = {
    "key": TEXT,
    "reason": TEXT,
    "when": TEXT,
    "file_bytes": np.int64,
    "file_modified": np.int64,
}
# Columns that stores of schema 1 lack; they count as 0 there.
SINCE_SCHEMA_2 = ("file_bytes", "file_modified")
# Attributes of the root that `tables_sha256` covers, where they are there.
HEAD_ATTRIBUTES = (
    *("schema", "created", "tool", "landmarker", "settings", "videos", "labels", "shard"),
)


@dataclass(frozen=True)
class Problem:
    """A video that could not be stored whole, why, and when (ISO 8601, UTC).

    file_bytes and file_modified are those of `Clip`.
    """

    key: str
    reason: str
    when: str = ""
    file_bytes: int = 0
    file_modified: int = 0


def frame_datasets(skeleton: Skeleton) -> dict[str, tuple[tuple[int, ...], type]]:
    """Everything under /frames: name → the shape of one frame, and the type."""
    datasets: dict[str, tuple[tuple[int, ...], type]] = {"time": ((), np.float64)}
    for part, where in skeleton.parts.items():
        points = where.stop - where.start
        datasets[f"{part}/points"] = (points, 3), np.float32
        datasets[f"{part}/confidence"] = (points,) if part in POINTWISE_PARTS else (), np.uint8
        datasets[f"{part}/source"] = (), np.uint8
    return datasets


def tables_sha256(
    head: Mapping[str, Any],
    skeleton: Skeleton,
    clips: Mapping[str, Iterable[Any]],
    problems: Mapping[str, Iterable[Any]],
) -> str:
    """SHA-256 over everything but the frames, which have checksums of their own.

    Of the compact JSON text, in UTF-8, of [head, skeleton, clips, problems]: each an array of
    [name, value] in the order of docs/format.md.
    """
    parts = [[name, where.start, where.stop] for name, where in skeleton.parts.items()]
    said = [
        [[name, head[name]] for name in HEAD_ATTRIBUTES if name in head],
        [
            ["names", list(skeleton.names)],
            ["edges", skeleton.edges.tolist()],
            ["mirror", skeleton.mirror.tolist()],
            ["parts", parts],
        ],
        [[name, list(clips[name])] for name in CLIP_COLUMNS],
        [[name, list(problems[name])] for name in PROBLEM_COLUMNS],
    ]
    text = json.dumps(said, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def one_line(error: Exception) -> str:
    """What HDF5 has to say, often over several lines, as one."""
    return " ".join(str(error).split())
