"""Which of Holistic's points a landmarker gives: all of them, or less of the face."""

from __future__ import annotations

from poseprep.landmarkers import Landmarks
from poseprep.skeleton import FACES, HOLISTIC


class ChosenPoints:
    """Cuts what a landmarker does not give out of a frame of `HOLISTIC`.

    Args:
        face: what to give of the face, a name in `poseprep.skeleton.FACES`.

    Attributes:
        skeleton: of the points that stay.
        face: whether any of the face stays: else nobody need look for it.
    """

    def __init__(self, face: str):
        self.skeleton = HOLISTIC.select(FACES[face])
        self.face = "face" in self.skeleton.parts
        self._points = HOLISTIC.indices(self.skeleton.names)
        self._parts = [i for i, part in enumerate(HOLISTIC.parts) if part in self.skeleton.parts]

    def __call__(self, whole: Landmarks) -> Landmarks:
        """A frame of `HOLISTIC` as one of this skeleton."""
        points, confidence, source = whole
        return Landmarks(points[self._points], confidence[self._points], source[self._parts])
