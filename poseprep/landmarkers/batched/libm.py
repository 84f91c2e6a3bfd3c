"""Sine, cosine, arc tangent and exponential as MediaPipe's C++ takes them, bit for bit.

numpy's own differ in the last bit on processors with wide registers. A bit of an angle can move a
crop by 1/32 pixel, and with it everything that a network says of it.
"""

import ctypes
import ctypes.util
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Array = Float[np.ndarray, "..."]


def _function(name: str, arguments: int, otherwise: Callable[..., Array]) -> Callable[..., Array]:
    """The C library's float32 function over arrays of one shape; numpy's where there is none."""
    path = ctypes.util.find_library("m")
    if path is None:
        return otherwise
    one = getattr(ctypes.CDLL(path), name)
    one.restype, one.argtypes = ctypes.c_float, [ctypes.c_float] * arguments

    def every(*values: Array) -> Array:
        flat = [np.asarray(value, np.float32).ravel().tolist() for value in values]
        return np.array(list(map(one, *flat)), np.float32).reshape(np.shape(values[0]))

    return every


sin = _function("sinf", 1, np.sin)
cos = _function("cosf", 1, np.cos)
atan2 = _function("atan2f", 2, np.arctan2)
exp = _function("expf", 1, np.exp)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^−x)."""
    return np.float32(1) / (np.float32(1) + exp(-x))
