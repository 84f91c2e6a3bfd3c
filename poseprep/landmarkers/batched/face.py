"""The face: where the body has its head, found there by a detector, and its 468 points.

The graphs are mediapipe/modules/holistic_landmark/face_*.pbtxt, mediapipe/modules/face_detection
and mediapipe/modules/face_landmark/face_landmark_cpu.pbtxt.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from poseprep.face_mesh import FACE_POINTS
from poseprep.landmarkers.batched import libm
from poseprep.landmarkers.batched.detections import surest
from poseprep.landmarkers.batched.engine import LENSES
from poseprep.landmarkers.batched.rectangles import (
    Points,
    Rectangles,
    box,
    box_by_corner,
    grown,
    in_frame,
    in_frame_by_matrix,
    in_pixels,
    turn,
    usable,
)
from poseprep.landmarkers.batched.view import Crops, View

f32 = np.float32
# Of the body's points: the face's, and its right and left eye.
_BODY_FACE, _BODY_EYES = 11, (5, 2)
_EYES = (0, 1)  # of the detector's points
_PRESENCE = 0.5


def find(
    view: View, which: Int[np.ndarray, " K"], bodies: Points
) -> tuple[Int[np.ndarray, " L"], Float[np.ndarray, "L 5"]]:
    """Where faces are: which of the bodies shows one, and its place.

    Args:
        which: the bodies' frames.
        bodies: (K, 33, 2 or more) points.
    """
    sizes = view.sizes[which]
    points = bodies[:, :_BODY_FACE, :2]
    right, left = (points[:, i] * sizes for i in _BODY_EYES)
    places = np.column_stack([box_by_corner(points), turn(right, left, 0)])
    places = grown(places, sizes, 3.0)
    shown = np.flatnonzero(usable(places))
    crops = Crops.of(view, which[shown], places[shown])
    found = surest("face_detector", crops.look("face_detector"))
    kept = np.array([points is not None for points in found], bool)
    if not kept.any():
        return shown[:0], np.zeros((0, 5), f32)
    points = np.stack([points for points in found if points is not None])
    shown, sizes = shown[kept], sizes[shown[kept]]
    points = in_frame_by_matrix(points, crops.pixels[kept], sizes)
    right, left = (points[:, i] * sizes for i in _EYES)
    places = grown(np.column_stack([box(points), turn(right, left, 0)]), sizes, 2.0, -0.1)
    kept = usable(places)
    return shown[kept], places[kept]


def look(
    view: View, which: Int[np.ndarray, " K"], places: Rectangles
) -> tuple[np.ndarray, Float[np.ndarray, "K 468 3"]]:
    """Whether there are faces in places of frames, and their points as shares of the frame."""
    pixels = in_pixels(places, view.sizes[which])
    points, presence = view.look("face_landmarks", which, pixels)
    points = points.reshape(len(which), FACE_POINTS, 3) / f32(LENSES["face_landmarks"].size)
    return libm.sigmoid(presence.reshape(-1)) > f32(_PRESENCE), in_frame(points, places)
