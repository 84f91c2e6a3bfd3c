"""What a detector's outputs mean: boxes about anchors, and the best of them.

Anchors as in "SSD: Single Shot MultiBox Detector" (arXiv 1512.02325) of one size, two for every
cell of every layer (SsdAnchorsCalculator); of boxes that overlap, the mean weighted by their scores
("BlazeFace", arXiv 1907.05047; NonMaxSuppressionCalculator, WEIGHTED).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float

from poseprep.landmarkers.batched import libm
from poseprep.landmarkers.batched.engine import LENSES

f32 = np.float32
# As MediaPipe's graphs say.
STRIDES = {"pose_detector": (8, 16, 32, 32, 32), "face_detector": (8, 16, 16, 16)}
LEAST_SCORE = 0.5
_OVERLAP = 0.3
_ANCHORS_A_CELL = 2


@cache
def anchors(network: str, size: int) -> Float[np.ndarray, "A 2"]:
    """x and y of the anchors of a detector whose input has `size` rows, as shares of it."""
    found = []
    for stride in STRIDES[network]:
        cells = -(-size // stride)
        centres = (np.arange(cells, dtype=f32) + f32(0.5)) / f32(cells)
        y, x = np.meshgrid(centres, centres, indexing="ij")
        found.append((stride, np.stack([x, y], axis=-1).reshape(-1, 1, 2)))
    # Layers of one stride stand together, cell by cell.
    return np.concatenate(
        [
            np.repeat(layers[0], _ANCHORS_A_CELL * len(layers), axis=1).reshape(-1, 2)
            for stride in dict.fromkeys(STRIDES[network])
            for layers in [[cells for other, cells in found if other == stride]]
        ]
    )


def surest(network: str, looks: list[np.ndarray]) -> list[Float[np.ndarray, "P 2"] | None]:
    """For each look of a detector the key points of what it is surest of, as shares of the crop.

    Args:
        looks: boxes, scores and numbers of anchors, as the engine's `look` gives them.
    """
    size = LENSES[network].size
    centres = anchors(network, size)
    return [
        best(boxes, scores, centres[numbers], size)
        for boxes, scores, numbers in zip(*looks, strict=True)
    ]


def best(
    boxes: Float[np.ndarray, "N C"],
    scores: Float[np.ndarray, " N"],
    centres: Float[np.ndarray, "N 2"],
    size: int,
) -> Float[np.ndarray, "P 2"] | None:
    """The key points of the surest thing that a detector found, as shares of its input.

    Args:
        boxes: a detector's candidates in one image, in pixels from their anchors: x, y, width,
            height and then x and y of P = (C − 4) / 2 key points.
        scores: how sure it is of them, before the sigmoid.
        centres: their anchors.
        size: rows of its input.

    Returns:
        None where nothing is found. Of several, MediaPipe's graphs take the surest, so the others
        are not even told apart here.
    """
    likely = np.flatnonzero(scores > -1e-3)  # the sigmoid's half is at 0; rounding is left to it
    surety = libm.sigmoid(np.clip(scores[likely], -100, 100).astype(f32))
    kept = surety >= f32(LEAST_SCORE)
    if not kept.any():
        return None
    surety, boxes, centres = surety[kept], boxes[likely[kept]], centres[likely[kept]]
    values = boxes / f32(size)
    centre, half = values[:, :2] + centres, values[:, 2:4] / f32(2)
    low, high = centre - half, centre + half
    sound = ((high - low) >= 0).all(axis=1)
    order = np.flatnonzero(sound)[np.argsort(-surety[sound], kind="stable")]
    if not len(order):
        return None
    low, high, surety = low[order], high[order], surety[order]
    together = _overlap(low, high) > f32(_OVERLAP)
    if not together.any():  # not even itself: a box without area
        together = np.arange(len(order)) == 0
        surety = np.ones_like(surety)
    points = values[order, 4:].reshape(len(order), -1, 2) + centres[order, None]
    weights = surety[together]
    # Sums one by one, as MediaPipe adds up: numpy's own pairs them.
    total = np.add.accumulate(weights)[-1]
    return np.add.accumulate(points[together] * weights[:, None, None])[-1] / total


def _overlap(low: Float[np.ndarray, "N 2"], high: Float[np.ndarray, "N 2"]) -> np.ndarray:
    """Intersection over union of each box with the first."""
    size = np.clip(np.minimum(high, high[0]) - np.maximum(low, low[0]), 0, None)
    shared, area = size.prod(axis=1), (high - low).prod(axis=1)
    union = area + area[0] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
