"""What lies where in a store (docs/format.md): said once, for the reader and the writer."""

import hashlib
from collections.abc import Mapping
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
# What `tables_sha256` covers: attributes of the root, where they are there, and everything that
# is no frame. HDF5 has no checksums of its own for the values of these.
HEAD_ATTRIBUTES = (
    *("schema", "created", "tool", "landmarker", "settings", "videos", "labels", "shard"),
)
TABLES = (
    *("skeleton/names", "skeleton/edges", "skeleton/mirror"),
    *(f"clips/{column}" for column in CLIP_COLUMNS),
    *(f"problems/{column}" for column in PROBLEM_COLUMNS),
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


def tables_sha256(head: Mapping[str, Any], parts: str, tables: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over everything but the frames, as docs/format.md lays down.

    Args:
        head: the attributes of the root.
        parts: the attribute of that name of /skeleton.
        tables: name → values, of TABLES; text as str.
    """
    said = {name: str(head[name]) for name in HEAD_ATTRIBUTES if name in head}
    digest = hashlib.sha256()
    for name, value in {**said, "parts": parts}.items():
        digest.update(_utf8(f"{name}\0{value}\0"))
    for name in TABLES:
        values = tables[name]
        digest.update(f"{name}\0{len(values)}\0".encode())
        if values.dtype == object:
            digest.update(_utf8("".join(f"{value}\0" for value in values.tolist())))
        else:
            digest.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def points_sha256(digests: Mapping[str, Any]) -> str:
    """A clip's: over the digests of its rows of every dataset of /frames, in their order."""
    return hashlib.sha256(b"".join(digest.digest() for digest in digests.values())).hexdigest()


def _utf8(text: str) -> bytes:
    return text.encode(errors="surrogateescape")  # names of folders may be no UTF-8


def one_line(error: Exception) -> str:
    """What HDF5 has to say, often over several lines, as one."""
    return " ".join(str(error).split())
