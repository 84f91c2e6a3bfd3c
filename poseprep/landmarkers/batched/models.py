"""The six networks of Holistic: those in MediaPipe's wheel, where they lie."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from poseprep.landmarkers.batched.engine import LENSES
from poseprep.landmarkers.mediapipe_graph import wheel

# By their path below the wheel's `modules`.
FILES = {
    "pose_detector": "pose_detection/pose_detection.tflite",
    "pose_landmarks": "pose_landmark/pose_landmark_full.tflite",
    "hand_recrop": "holistic_landmark/hand_recrop.tflite",
    "hand_landmarks": "hand_landmark/hand_landmark_full.tflite",
    "face_detector": "face_detection/face_detection_short_range.tflite",
    "face_landmarks": "face_landmark/face_landmark.tflite",
}


@dataclass(frozen=True)
class Model:
    """A network's file.

    Attributes:
        name: in `engine.LENSES`.
        source: the file's name, for a reader.
        data: the file.
        outputs: which of its outputs are read, in the order of the network's lens.
    """

    name: str
    source: str
    data: bytes
    outputs: tuple[int, ...]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def read_models(face: bool, bundle: Path | None = None) -> dict[str, Model]:
    """The networks by their names in `engine.LENSES`; `face`: with those for the face."""
    return {
        name: Model(name, path, (wheel() / "modules" / path).read_bytes(), LENSES[name].outputs)
        for name, path in FILES.items()
        if face or not name.startswith("face")
    }
