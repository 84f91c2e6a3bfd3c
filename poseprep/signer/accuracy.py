"""How well a landmarker sees the drawn signer: measured keypoints against the true ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from poseprep.errors import InputError
from poseprep.skeleton import FINGERTIPS, HOLISTIC
from poseprep.store import KeypointStore

SIDES = ("left", "right")
POINTS: dict[str, tuple[str, ...]] = {
    **{part: HOLISTIC.names[where] for part, where in HOLISTIC.parts.items()},
    "fingertips": tuple(f"{side}_hand_{tip}" for side in SIDES for tip in FINGERTIPS),
    "hand wrists": tuple(f"{side}_hand_wrist" for side in SIDES),
    "elbows": tuple(f"{side}_elbow" for side in SIDES),
    "shoulders": tuple(f"{side}_shoulder" for side in SIDES),
}


class Accuracy(NamedTuple):
    """One row of the table; errors are distances in the picture, 1 is one shoulder width."""

    what: str
    found: float
    """Share of frames in which any of these points was found."""
    median: float
    """NaN where the truth does not say (the face mesh)."""
    percentile95: float


def accuracy(extracted: KeypointStore, truth: KeypointStore) -> list[Accuracy]:
    """Compare a store with the truth of the same videos, each part and group of points.

    A clip that was not extracted counts as one in which nothing was found.

    Raises:
        InputError: the stores have no clip in common, or a clip's frames differ in number.
    """
    measured = set(extracted.keys)
    if not measured & set(truth.keys):
        raise InputError(
            f"{extracted.path} and {truth.path} have no clip in common; "
            "compare a corpus with its own truth.h5"
        )
    found: dict[str, list[np.ndarray]] = {what: [] for what in POINTS}
    errors: dict[str, list[np.ndarray]] = {what: [] for what in POINTS}
    for key in truth.keys:
        true = truth.clip(key)
        points = np.full_like(true.points, np.nan)
        if key in measured:
            clip = extracted.clip(key)
            if len(clip.points) != len(true.points):
                raise InputError(
                    f"{key}: the truth has {len(true.points)} frames, the store "
                    f"{len(clip.points)}; extract the corpus again"
                )
            points[:, HOLISTIC.indices(clip.skeleton.names)] = clip.points
        left, right = HOLISTIC.indices(("left_shoulder", "right_shoulder"))
        width = np.linalg.norm(true.points[:, left, :2] - true.points[:, right, :2], axis=-1)
        error = np.linalg.norm(points[..., :2] - true.points[..., :2], axis=-1) / width[:, None]
        for what, names in POINTS.items():
            where = HOLISTIC.indices(names)
            found[what].append((~np.isnan(points[:, where, 0])).any(axis=1))
            errors[what].append(error[:, where].ravel())
    return [
        _row(what, np.concatenate(found[what]), np.concatenate(errors[what])) for what in POINTS
    ]


def _row(what: str, found: np.ndarray, errors: np.ndarray) -> Accuracy:
    errors = errors[~np.isnan(errors)]
    median, high = np.percentile(errors, (50, 95)) if len(errors) else (np.nan, np.nan)
    return Accuracy(what, float(found.mean()), float(median), float(high))
