"""What turns frames into keypoints. One file a landmarker; `LANDMARKERS` names them."""

from collections.abc import Callable, Iterable, Iterator
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


@runtime_checkable
class Landmarker(Protocol):
    """Frames in, keypoints out; every call of `track` starts with no memory of another video."""

    skeleton: Skeleton

    def track(self, frames: Iterable[np.ndarray]) -> Iterator[Landmarks]:
        """Keypoints of each frame, (H, W, 3) uint8 RGB, of one video, in order."""
        ...

    def describe(self) -> dict[str, Any]:
        """Name, version, models and settings, as they are written into a store."""
        ...


def _mediapipe() -> Landmarker:
    from poseprep.landmarkers.mediapipe import MediaPipeHolistic

    return MediaPipeHolistic()


LANDMARKERS: dict[str, Callable[[], Landmarker]] = {"mediapipe": _mediapipe}
