"""The truth of a drawn video as keypoints, so that it can stand beside measured ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from poseprep.clip import IMPORTED, MISSING, Clip
from poseprep.signer.figure import Figure, body_points
from poseprep.signer.raster import View
from poseprep.skeleton import HAND_NAMES, HOLISTIC


def true_points(drawn: Figure, view: View) -> Float[np.ndarray, "T 543 3"]:
    """Every joint of the figure as `HOLISTIC` points; NaN for what it lacks (legs, face mesh).

    Units as in `Clip`: 1 is the frame's height. Depth is smaller nearer to the camera and
    counts from the wrist in a hand, from between the hips in the body, as MediaPipe's does.
    """
    points = np.full((len(drawn.hands), len(HOLISTIC), 3), np.nan)

    def put(name: str, world: Float[np.ndarray, "T 3"], depth_origin: np.ndarray) -> None:
        where = HOLISTIC.index(name)
        points[:, where, :2] = view.pixels(world) / view.height
        points[:, where, 2] = (depth_origin - world[:, 2]) * view.scale / view.height

    body = body_points(drawn)
    hip_depth = body["left_hip"][:, 2]
    for name, world in body.items():
        put(name, world, hip_depth)
    for side, label in enumerate(("left", "right")):
        hand = drawn.hands[:, side]
        for joint, name in enumerate(HAND_NAMES):
            put(f"{label}_hand_{name}", hand[:, joint], hand[:, 0, 2])
    return points


def true_clip(
    drawn: Figure, view: View, time: Float[np.ndarray, " T"], **labels: str | float
) -> Clip:
    """The truth as a Clip; `labels` are Clip's own fields, such as key and sign."""
    points = true_points(drawn, view).astype(np.float32)
    confidence = (~np.isnan(points[..., 0])).astype(np.float32)
    source = np.full((len(time), len(HOLISTIC.parts)), MISSING, np.uint8)
    for part, where in enumerate(HOLISTIC.parts.values()):
        source[confidence[:, where].any(axis=1), part] = IMPORTED
    return Clip(
        points=points,
        confidence=confidence,
        time=time,
        source=source,
        width=view.width,
        height=view.height,
        **labels,  # type: ignore[arg-type]
    )
