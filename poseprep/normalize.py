"""Centre, scale, fill gaps, resample: what makes clips of different signers comparable.

Written once, in numpy, and applied on read: the store itself stays raw.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float

from poseprep.skeleton import Skeleton

# Where a clip shows none of its skeleton's points of reference, its own extent is the unit.
_SMALLEST_UNIT = 1e-6


def normalize(
    points: Float[np.ndarray, "T V C"],
    time: Float[np.ndarray, " T"],
    skeleton: Skeleton,
    *,
    frames: int = 32,
    gap_seconds: float = 0.25,
    window_seconds: float = 10.0,
) -> tuple[Float[np.ndarray, "W frames V C"], Bool[np.ndarray, "W frames V"]]:
    """One clip as windows of equally many frames, centred, scaled, and with its gaps filled.

    Args:
        points: units of the frame height, NaN where missing.
        time: seconds, never falling.
        skeleton: names the V points.
        frames: of each window after resampling.
        gap_seconds: a point missing for longer than this stays missing.
        window_seconds: a clip that lasts longer is cut into equal windows no longer than this.

    Returns:
        points (W, frames, V, C), where 1.0 is one shoulder width (for hands alone: one palm
        length), zero where missing; and seen (W, frames, V), False where missing. There is
        always at least one window; a clip of no frames, or without any person, is unseen.
    """
    centred = (points - clip_centre(points, skeleton)) / clip_unit(points, skeleton)
    seconds = float(time[-1] - time[0]) if len(time) else 0.0
    windows = max(1, int(np.ceil(seconds / window_seconds - 1e-9)))
    # Window edges first, then the frames inside: neighbouring windows share one instant.
    edges = np.linspace(time[0], time[-1], windows + 1) if len(time) else np.zeros(2)
    at = np.concatenate([np.linspace(a, b, frames) for a, b in pairwise(edges)])
    values, seen = resample(centred.astype(np.float32), time, at, gap_seconds=gap_seconds)
    shape = (windows, frames, len(skeleton))
    return values.reshape(*shape, points.shape[-1]), seen.reshape(shape)


def clip_centre(points: Float[np.ndarray, "T V C"], skeleton: Skeleton) -> Float[np.ndarray, " C"]:
    """The middle between the shoulders, as the median over the clip.

    One centre for the whole clip, not one a frame: where a hand is relative to the body is
    meaning and stays, and the landmarker's trembling shoulders do not shake every other point.
    Hands alone are centred on their mean wrist, which keeps the path of the hand.
    """
    if "left_shoulder" in skeleton and "right_shoulder" in skeleton:
        pair = points[:, skeleton.indices(["left_shoulder", "right_shoulder"])]
        middle = pair.mean(axis=1)
        rows = middle[~np.isnan(middle).any(axis=-1)]
        if len(rows):
            return np.median(rows, axis=0)
    else:
        wrists = [i for i, name in enumerate(skeleton.names) if name.endswith("_wrist")]
        rows = _present(points[:, wrists])
        if len(rows):
            return rows.mean(axis=0)
    rows = _present(points)
    return rows.mean(axis=0) if len(rows) else np.zeros(points.shape[-1], points.dtype)


def clip_unit(points: Float[np.ndarray, "T V C"], skeleton: Skeleton) -> float:
    """The length that becomes 1.0: shoulder width, or for hands alone the palm's length.

    The median over the clip, in the picture's plane. A clip that never shows it takes the
    root mean square distance of its points from their mean; a clip of one spot, 1.
    """
    if "left_shoulder" in skeleton and "right_shoulder" in skeleton:
        pairs = [("left_shoulder", "right_shoulder")]
    else:
        sides = ("left_hand", "right_hand")
        pairs = [(f"{side}_wrist", f"{side}_middle_finger_mcp") for side in sides]
    flat = points[..., :2]
    lengths = [
        np.linalg.norm(flat[:, skeleton.index(a)] - flat[:, skeleton.index(b)], axis=-1)
        for a, b in pairs
        if a in skeleton and b in skeleton
    ]
    known = np.concatenate(lengths) if lengths else np.zeros(0)
    known = known[~np.isnan(known)]
    unit = float(np.median(known)) if len(known) else 0.0
    if unit < _SMALLEST_UNIT:
        rows = _present(flat)
        unit = float(np.sqrt(((rows - rows.mean(0)) ** 2).sum(-1).mean())) if len(rows) else 0.0
    return unit if unit >= _SMALLEST_UNIT else 1.0


def resample(
    points: Float[np.ndarray, "T V C"],
    time: Float[np.ndarray, " T"],
    at: Float[np.ndarray, " S"],
    *,
    gap_seconds: float,
) -> tuple[Float[np.ndarray, "S V C"], Bool[np.ndarray, "S V"]]:
    """Every point at other times, on the straight line between the last and next time it was seen.

    Where these two are further apart than `gap_seconds` (and than neighbouring frames are),
    the point keeps the value of a frame less than half a frame away, or is missing.
    Before a point is first seen and after it was last seen nothing is made up.

    Returns:
        points (S, V, C), zero where missing, and seen (S, V).
    """
    frames, count, channels = points.shape
    if frames == 0:
        return np.zeros((len(at), count, channels), points.dtype), np.zeros((len(at), count), bool)
    seen = ~np.isnan(points).any(axis=-1)
    # For every frame: the latest frame up to it, and the first from it on, that saw the point.
    rows = np.arange(frames)[:, None]
    last = np.maximum.accumulate(np.where(seen, rows, -1), axis=0)
    following = np.minimum.accumulate(np.where(seen, rows, frames)[::-1], axis=0)[::-1]
    left = np.clip(np.searchsorted(time, at, side="right") - 1, 0, frames - 1)
    exact = time[left] >= at
    right = np.where(exact, left, np.minimum(left + 1, frames - 1))
    before, after = last[left], following[right]  # (S, V) frame indices, or -1 and `frames`
    has_before, has_after = before >= 0, after < frames
    before, after = np.maximum(before, 0), np.minimum(after, frames - 1)

    spacing = float(np.median(np.diff(time))) if frames > 1 else 0.0
    since, until = at[:, None] - time[before], time[after] - at[:, None]
    gap = since + until
    neighbours = after - before <= 1
    between = has_before & has_after & (neighbours | (gap <= gap_seconds))
    near = spacing / 2 + 1e-9
    only_before = ~between & has_before & (since <= near)
    only_after = ~between & ~only_before & has_after & (until <= near)

    weight = np.where(gap > 0, since / np.where(gap > 0, gap, 1.0), 0.0)
    weight = np.where(only_before, 0.0, np.where(only_after, 1.0, weight))[..., None]
    column = np.arange(count)[None, :]
    value = points[before, column] * (1 - weight) + points[after, column] * weight
    found = between | only_before | only_after
    # A weight of exactly 0 or 1 may meet a NaN on the other side: 0 · NaN is NaN.
    value = np.where(weight == 0, points[before, column], value)
    value = np.where(weight == 1, points[after, column], value)
    return np.where(found[..., None], value, 0).astype(points.dtype), found


def _present(points: Float[np.ndarray, "T V C"]) -> Float[np.ndarray, "N C"]:
    flat = points.reshape(-1, points.shape[-1])
    return flat[~np.isnan(flat).any(axis=-1)]
