"""MediaPipe Holistic, many frames at a time: body, then hands and face where the body has them.

The graph is mediapipe/modules/holistic_landmark/holistic_landmark_cpu.pbtxt. Every frame stands
alone, as under `static_image_mode=True`, where MediaPipe's own hands and faces still remember the
frame before (docs/batched.md).
"""

from __future__ import annotations

import numpy as np

from poseprep.landmarkers.batched import face as faces
from poseprep.landmarkers.batched import hands, pose
from poseprep.landmarkers.batched.smoothing import BodySmoother, unsmoothed
from poseprep.landmarkers.batched.view import View
from poseprep.landmarkers.mediapipe_holistic import Look


def landmark(view: View, face: bool, smoother: BodySmoother | None = None) -> list[Look]:
    """What Holistic sees in each of some frames.

    Args:
        face: whether to look for the face, too.
        smoother: smooths the bodies of frames that follow each other; it remembers those before.
    """
    looks = [Look({}, width / height) for width, height in view.sizes.tolist()]
    bodies = pose.look(view, *pose.find(view, np.arange(len(looks))))
    bodies = (smoother.smooth if smoother else unsmoothed)(bodies, view.sizes)
    for frame, points in zip(bodies.which, bodies.points, strict=True):
        looks[frame].parts["body"] = points
    number, sides, places = hands.find(view, bodies.which, bodies.points)
    which = bodies.which[number]
    seen = hands.look(view, which, places)
    for i in np.flatnonzero(seen.seen):
        looks[which[i]].parts[hands.SIDES[sides[i]]] = seen.points[i]
    if face:
        number, places = faces.find(view, bodies.which, bodies.points)
        which = bodies.which[number]
        there, points = faces.look(view, which, places)
        for i in np.flatnonzero(there):
            looks[which[i]].parts["face"] = points[i]
    return looks
