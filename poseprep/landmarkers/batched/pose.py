"""The body: found in the whole frame, or followed, and its 33 points.

The graphs are mediapipe/modules/pose_detection/pose_detection_cpu.pbtxt and
mediapipe/modules/pose_landmark/*.pbtxt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from poseprep.landmarkers.batched.detections import surest
from poseprep.landmarkers.batched.rectangles import (
    Points,
    Rectangles,
    Sizes,
    about,
    grown,
    turn,
    usable,
    whole,
    without_padding,
)
from poseprep.landmarkers.batched.view import Crops, View

BODY_POINTS = 33
_MARGIN = 1.25
_PRESENCE = 0.5


class Bodies(NamedTuple):
    """The bodies that were found.

    Attributes:
        which: their frames, ascending.
        points: x, y, z, visibility and presence; x, y and z as shares of the frame.
        guides: the middle of the hips and a point on the circle about the body, by which it is
            followed.
    """

    which: Int[np.ndarray, " K"]
    points: Float[np.ndarray, "K 33 5"]
    guides: Float[np.ndarray, "K 2 5"]


def find(view: View, which: Int[np.ndarray, " N"]) -> tuple[Int[np.ndarray, " K"], Rectangles]:
    """Look for a person in frames: in which of them there is one, and where."""
    sizes = view.sizes[which]
    crops = Crops.of(view, which, whole(sizes))
    found = surest("pose_detector", crops.look("pose_detector"))
    kept = np.array([points is not None for points in found], bool)
    if not kept.any():
        return which[:0], np.zeros((0, 5), np.float32)
    points = np.stack([points for points in found if points is not None])
    return which[kept], around(without_padding(points, crops.padding[kept]), sizes[kept])


def around(guides: Points, sizes: Sizes) -> Rectangles:
    """Where to look for a body's points, from the two points that tell of its place and size."""
    middle, edge = (guides[:, i, :2] * sizes for i in (0, 1))
    return grown(about(middle, edge, turn(middle, edge, 90), sizes), sizes, _MARGIN)


def extent(guides: Points, sizes: Sizes) -> Float[np.ndarray, " K"]:
    """How large bodies are, in pixels: the mean of width and height of the squares about them."""
    middle, edge = (guides[:, i, :2] * sizes for i in (0, 1))
    squares = about(middle, edge, np.zeros(len(guides), np.float32), sizes)
    width, height = (squares[:, 2:4] * sizes).T
    return (width + height) / np.float32(2)


def look(view: View, which: Int[np.ndarray, " N"], places: Rectangles) -> Bodies:
    """The bodies in places of frames, where there are any."""
    kept = usable(places)
    crops = Crops.of(view, which[kept], places[kept])
    points, presence = crops.look("pose_landmarks")
    seen = presence.reshape(-1) > _PRESENCE
    points = crops.in_frame(points[seen], seen)
    return Bodies(
        crops.which[seen], points[:, :BODY_POINTS], points[:, BODY_POINTS : BODY_POINTS + 2]
    )
