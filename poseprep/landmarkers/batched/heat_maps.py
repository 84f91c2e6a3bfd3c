"""Points of the body, made finer by the pose network's heat maps.

The network gives points and, for each of them, a map of where it may be; the mean of the map
about a point is closer than the point itself. Sources, of which these are the numbers, bit for bit:
mediapipe/calculators/tensor/tensors_to_landmarks_calculator.cc and
mediapipe/calculators/util/refine_landmarks_from_heatmap_calculator.cc.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from poseprep.landmarkers.batched import libm

# The default; MediaPipe's graph asks for 7, which its Python API loses (mediapipe_holistic.py).
KERNEL = 9
LEAST_CONFIDENCE = 0.5


def refined(
    raw: Float[np.ndarray, "K 195"], maps: Float[np.ndarray, "K H W 39"], size: int
) -> Float[np.ndarray, "K 39 5"]:
    """Points in units of the crop.

    Args:
        raw: for each point x, y, z in pixels of the crop, visibility and presence before the
            sigmoid.
        maps: heat maps before the sigmoid.
        size: the crop's width and height in pixels.

    Returns:
        x, y, z in widths of the crop, visibility, presence; float32.
    """
    count, (height, width) = maps.shape[3], maps.shape[1:3]
    points = raw.reshape(len(raw), count, 5).astype(np.float32)
    points[..., :3] /= np.float32(size)
    points[..., 3:] = libm.sigmoid(points[..., 3:])

    # As C++ turns numbers into integers: towards zero.
    column, row = (
        (points[..., i] * np.float32(n)).astype(np.int64) for i, n in ((0, width), (1, height))
    )
    step = np.arange(KERNEL) - (KERNEL - 1) // 2
    rows = (row[..., None] + step)[..., :, None]  # (K, 39, 9, 1)
    columns = (column[..., None] + step)[..., None, :]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    k = np.arange(len(raw))[:, None, None, None]
    which = np.arange(count)[:, None, None]
    near = maps[k, rows.clip(0, height - 1), columns.clip(0, width - 1), which]
    sure = np.where(inside, _sigmoid(near), np.float32(0))

    total = _sum(sure)
    with np.errstate(invalid="ignore"):  # 0 / 0 where nothing is sure, and not taken
        fine_x = _sum(sure * columns.astype(np.float32)) / np.float32(width) / total
        fine_y = _sum(sure * rows.astype(np.float32)) / np.float32(height) / total
    take = (
        ((column >= 0) & (column < width) & (row >= 0) & (row < height))
        & (sure.max(axis=(2, 3)) >= LEAST_CONFIDENCE)
        & (total > 0)
    )
    points[..., 0] = np.where(take, fine_x, points[..., 0])
    points[..., 1] = np.where(take, fine_y, points[..., 1])
    return points


def _sigmoid(cells: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """1 / (1 + exp(-x)) in float32, with the exponential rounded right, as the C library's is but
    for one number in thousands; `libm` is exact and too slow for 3,159 cells.
    """
    with np.errstate(over="ignore"):
        power = np.exp(-cells.astype(np.float64)).astype(np.float32)
    return np.float32(1) / (np.float32(1) + power)


def _sum(cells: Float[np.ndarray, "K V 9 9"]) -> Float[np.ndarray, "K V"]:
    """Row by row, one after the other, as C++ adds; `np.sum` adds in pairs."""
    return np.add.accumulate(cells.reshape(*cells.shape[:2], KERNEL**2), axis=-1)[..., -1]
