"""What turns frames into keypoints. One file a landmarker; `LANDMARKERS` names them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from poseprep.skeleton import Skeleton


class Landmarks(NamedTuple):
    """One frame's keypoints; see `poseprep.clip.Clip` for units.

    Shapes: points (V, 3), confidence (V,), source (P,).
    """

    points: Float[np.ndarray, "V 3"]
    confidence: Float[np.ndarray, " V"]
    source: UInt8[np.ndarray, " P"]


Track = Callable[[np.ndarray], Landmarks]


@runtime_checkable
class Landmarker(Protocol):
    """Frames in, keypoints out."""

    skeleton: Skeleton

    def tracker(self) -> AbstractContextManager[Track]:
        """A function from a frame, (H, W, 3) uint8 RGB, to its keypoints.

        It is for the frames of one video, in order, and starts with no memory of another.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Name, version, models and settings, as they are written into a store."""
        ...


def _mediapipe(face: str = "full", recover: bool = True) -> Landmarker:
    from poseprep.landmarkers.mediapipe import MediaPipeHolistic

    return MediaPipeHolistic(face, recover)


# Name → what makes it, from `face` (a name in `poseprep.skeleton.FACES`) and `recover`.
LANDMARKERS: dict[str, Callable[..., Landmarker]] = {"mediapipe": _mediapipe}
