"""A stretch of a clip's frames as bytes: what workers send, and the journal keeps.

Long videos pass through in pieces, so that no process ever holds one whole.
"""

import struct
import zlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from poseprep.errors import InputError
from poseprep.store_layout import POINT_STEP

PIECE_FRAMES = 512
_SHAPE = struct.Struct("<III")


class Frames(NamedTuple):
    """T frames of a clip; the fields and units are those of `Clip`."""

    time: Float[np.ndarray, " T"]
    points: Float[np.ndarray, "T V 3"]
    confidence: Float[np.ndarray, "T V"]
    source: UInt8[np.ndarray, "T P"]


def pack(frames: Frames) -> bytes:
    """The frames as bytes, points rounded as the store rounds them.

    Rounded and with their bytes shuffled, they compress to less than half.
    """
    parts = [_SHAPE.pack(*frames.confidence.shape, frames.source.shape[1])]
    rounded = np.round(frames.points / POINT_STEP) * POINT_STEP
    for values in (frames.time.astype("<f8"), rounded.astype("<f4"), frames.confidence):
        flat = np.ascontiguousarray(values).view(np.uint8).reshape(-1, values.itemsize)
        parts.append(np.ascontiguousarray(flat.T).tobytes())
    return zlib.compress(b"".join([*parts, frames.source.tobytes()]), 1)


def unpack(data: bytes) -> Frames:
    """What `pack` made bytes of.

    Raises:
        InputError: the bytes are damaged.
    """
    try:
        raw = zlib.decompress(data)
        frames, points, parts = _SHAPE.unpack_from(raw)
        at, arrays = _SHAPE.size, []
        for dtype, count in (
            ("<f8", frames),
            ("<f4", frames * points * 3),
            ("<f4", frames * points),
        ):
            size = np.dtype(dtype).itemsize * count
            shuffled = np.frombuffer(raw, np.uint8, size, at).reshape(-1, count)
            arrays.append(np.ascontiguousarray(shuffled.T).view(dtype).reshape(count))
            at += size
        source = np.frombuffer(raw, np.uint8, frames * parts, at).reshape(frames, parts)
    except (zlib.error, struct.error, ValueError) as error:
        raise InputError(
            f"what was measured so far is damaged ({error}); start anew with --overwrite"
        ) from error
    time, coordinates, confidence = arrays
    return Frames(
        time,
        coordinates.reshape(frames, points, 3),
        confidence.reshape(frames, points),
        source,
    )
