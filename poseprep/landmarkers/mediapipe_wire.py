"""MediaPipe's messages as arrays, read and written without its Python classes.

Building a Python object for each of 543 landmarks of a frame costs more than reading their
bytes. The layout is that of protocol buffers (https://protobuf.dev/programming-guides/encoding)
with the fields of mediapipe/framework/formats/landmark.proto and rect.proto; a message of
another layout is an error, never a guess.
"""

import struct
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

# Field 1 of a list, a message of some length; fields 1, 2, ... of a landmark, 4 bytes each.
_MEMBER = 0x0A
_FLOATS = tuple(field << 3 | 5 for field in range(1, 6))


def landmarks(message: bytes, count: int) -> Float[np.ndarray, "V C"]:
    """A NormalizedLandmarkList of `count` points: x, y, z and, where given, visibility, presence.

    Returns:
        (count, 3 to 5) float32; x and y in widths and heights of the picture.

    Raises:
        RuntimeError: the message is not laid out like that.
    """
    stride, rest = divmod(len(message), count)
    channels, odd = divmod(stride - 2, 5)
    table = np.frombuffer(message, np.uint8)
    if rest or odd or not 3 <= channels <= len(_FLOATS):
        raise _unexpected(message, count)
    table = table.reshape(count, stride)
    heads = np.array((_MEMBER, stride - 2, *_FLOATS[:channels]))
    if (table[:, [0, 1, *range(2, stride, 5)]] != heads).any():
        raise _unexpected(message, count)
    fields = table[:, 2:].reshape(count, channels, 5)
    return np.ascontiguousarray(fields[..., 1:]).view("<f4")[..., 0]


def rectangle(x: float, y: float, width: float, height: float, rotation: float) -> bytes:
    """A NormalizedRect: centre and size in widths and heights of the picture, turned clockwise.

    `rotation` is in radians.
    """
    # Its fields are numbered x, y, height, width, rotation.
    values = (x, y, height, width, rotation)
    return b"".join(
        struct.pack("<Bf", tag, value) for tag, value in zip(_FLOATS, values, strict=True)
    )


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The number and bytes of each field of a message, in order; a varint's bytes as they are."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _, end = _varint(message, at)
        elif kind == 2:
            size, at = _varint(message, at)
            end = at + size
        elif kind in (1, 5):
            end = at + (8 if kind == 1 else 4)
        else:
            raise RuntimeError(f"expected a protocol buffer, found a field of kind {kind}")
        yield number, message[at:end]
        at = end


def field(number: int, value: bytes) -> bytes:
    """A field that is text or a message."""
    return _as_varint(number << 3 | 2) + _as_varint(len(value)) + value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins at a place, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _as_varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _unexpected(message: bytes, count: int) -> RuntimeError:
    return RuntimeError(
        f"expected {count} landmarks from MediaPipe, found {len(message)} bytes of another "
        "layout; this version reads mediapipe 0.10.21"
    )
