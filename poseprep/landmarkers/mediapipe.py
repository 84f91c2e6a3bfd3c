"""MediaPipe Holistic with the models that its wheel carries: the reference landmarker."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from poseprep.clip import DETECTED, MISSING
from poseprep.landmarkers import Landmarks
from poseprep.skeleton import HOLISTIC

# MediaPipe's own defaults, written out because they are part of what a store records.
SETTINGS: dict[str, Any] = {
    "model_complexity": 1,
    "smooth_landmarks": True,
    "refine_face_landmarks": False,
    "min_detection_confidence": 0.5,
    "min_tracking_confidence": 0.5,
}
MODELS = (
    "pose_detection/pose_detection.tflite",
    "pose_landmark/pose_landmark_full.tflite",
    "holistic_landmark/hand_recrop.tflite",
    "hand_landmark/hand_landmark_full.tflite",
    "face_detection/face_detection_short_range.tflite",
    "face_landmark/face_landmark.tflite",
)
_RESULTS = ("pose_landmarks", "left_hand_landmarks", "right_hand_landmarks", "face_landmarks")


class MediaPipeHolistic:
    """`mp.solutions.holistic` in video mode: 543 points a frame, one person.

    The landmarks are MediaPipe's own: x·W/H, y and z·W/H, so that one unit is the height of
    the frame on every axis. Confidence is `visibility` for the body, and 1 for every point of
    a hand or face that was found.
    """

    skeleton = HOLISTIC

    def track(self, frames: Iterable[np.ndarray]) -> Iterator[Landmarks]:
        os.environ.setdefault("GLOG_minloglevel", "3")
        from mediapipe.python.solutions.holistic import Holistic

        # A tracker of its own for every video: MediaPipe's remembers the last picture.
        with Holistic(static_image_mode=False, **SETTINGS) as tracker:
            for frame in frames:
                yield _landmarks(tracker.process(frame), frame.shape[1] / frame.shape[0])

    def describe(self) -> dict[str, Any]:
        spec = find_spec("mediapipe")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("mediapipe is not installed")
        modules = Path(spec.submodule_search_locations[0]) / "modules"
        return {
            "name": "mediapipe",
            "version": version("mediapipe"),
            "models": {
                name: hashlib.sha256((modules / name).read_bytes()).hexdigest() for name in MODELS
            },
            "settings": SETTINGS,
        }


def _landmarks(results: Any, aspect: float) -> Landmarks:
    """MediaPipe's results of one frame whose width is `aspect` times its height."""
    points = np.full((len(HOLISTIC), 3), np.nan, np.float32)
    confidence = np.zeros(len(HOLISTIC), np.float32)
    source = np.full(len(HOLISTIC.parts), MISSING, np.uint8)
    for i, (name, where) in enumerate(zip(_RESULTS, HOLISTIC.parts.values(), strict=True)):
        part = getattr(results, name)
        if part is None:
            continue
        found = part.landmark
        points[where] = [(p.x * aspect, p.y, p.z * aspect) for p in found]
        # Visibility may be 0 for a point that is given all the same; 0 would mean missing.
        confidence[where] = [max(p.visibility, 1 / 255) for p in found] if i == 0 else 1.0
        source[i] = DETECTED
    return Landmarks(points, confidence, source)
