"""Sparse tensors of TensorFlow Lite, written out.

A tensor is a tree: each of its dimensions, in the order in which they are stored, is a level
that holds either all its places ("dense") or a list of those that are not zero ("CSR"). Source:
tensorflow/lite/schema/schema.fbs, `SparsityParameters`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def densified(values: np.ndarray, sparsity: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A sparse tensor with its zeros.

    Args:
        values: those that are stored, (N,).
        sparsity: a `SparsityParametersT`.
        shape: of the result.

    Raises:
        ValueError, IndexError: the tree does not fit the shape.
    """
    order = [int(i) for i in sparsity.traversalOrder]
    blocks = [] if sparsity.blockMap is None else [int(i) for i in sparsity.blockMap]
    if sorted(order) != list(range(len(shape) + len(blocks))):
        raise ValueError(f"levels {order} of {len(shape)} dimensions")
    if len(sparsity.dimMetadata) != len(order):
        raise ValueError(f"{len(sparsity.dimMetadata)} levels instead of {len(order)}")

    # Level by level: where in its level each branch of the tree stands, and its number there.
    branch = np.zeros(1, np.int64)
    places: dict[int, np.ndarray] = {}
    sizes: dict[int, int] = {}
    for dimension, level in zip(order, sparsity.dimMetadata, strict=True):
        if level.format == 0:
            counts = np.full(len(branch), level.denseSize)
            first = branch * level.denseSize
        else:
            segments = np.asarray(level.arraySegments.values, np.int64)
            if branch.max(initial=0) + 1 >= len(segments):
                raise ValueError("a list of places that ends too early")
            first, counts = segments[branch], segments[branch + 1] - segments[branch]
        if counts.min(initial=0) < 0 or counts.sum() > math.prod(shape):
            raise ValueError("more places than the tensor has")
        # 0, 1, 2, ... within each branch.
        step = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
        places = {d: np.repeat(at, counts) for d, at in places.items()}
        branch = np.repeat(first, counts) + step
        if level.format == 0:
            places[dimension], sizes[dimension] = step, level.denseSize
        else:
            indices = np.asarray(level.arrayIndices.values, np.int64)
            places[dimension] = _taken(indices, branch)

    # A block's places count within the block.
    for i, dimension in enumerate(blocks):
        inner = len(shape) + i
        places[dimension] = places[dimension] * sizes[inner] + places[inner]
    result = np.zeros(shape, values.dtype)
    at = [places[d] for d in range(len(shape))]
    for index, size in zip(at, shape, strict=True):
        _within(index, size)
    result[tuple(at)] = _taken(values, branch)
    return result


def _taken(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    _within(index, len(values))
    return values[index]


def _within(index: np.ndarray, size: int) -> None:
    """A negative index would count from the end."""
    if len(index) and (index.min() < 0 or index.max() >= size):
        raise IndexError(f"places {index.min()} to {index.max()} of {size}")
