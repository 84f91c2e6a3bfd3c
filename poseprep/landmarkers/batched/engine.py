"""What runs the networks: cuts crops out of frames and gives what a network says of them.

Two engines fit: LiteRT on a CPU, torch on a GPU (or a CPU). All else of Holistic, the geometry
between the networks, is written once, for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from poseprep.errors import EngineError, InputError


class Lens(NamedTuple):
    """How a network wants its crops.

    Attributes:
        size: rows and columns.
        low, high: what black and white are.
        black_border: what lies outside the frame is black; else the frame's edge goes on.
        outputs: the outputs that are read, by their place among the network's.
    """

    size: int
    low: float
    high: float
    black_border: bool
    outputs: tuple[int, ...]


# As MediaPipe's graphs say (modules/*/*.pbtxt).
LENSES = {
    "pose_detector": Lens(224, -1.0, 1.0, True, (0, 1)),  # boxes, scores; see CANDIDATES
    # Points, presence, heat maps. Engines give the points refined by the heat maps, (K, 39, 5)
    # in units of the crop as `heat_maps.refined` says, and the presence; the maps stay with them.
    "pose_landmarks": Lens(256, 0.0, 1.0, False, (0, 1, 3)),
    "hand_recrop": Lens(256, 0.0, 1.0, False, (0,)),  # two points
    "hand_landmarks": Lens(224, 0.0, 1.0, False, (0, 1, 2)),  # points, presence, handedness
    "face_detector": Lens(128, -1.0, 1.0, True, (0, 1)),
    "face_landmarks": Lens(192, 0.0, 1.0, False, (0, 1)),  # points, presence
}

DETECTORS = ("pose_detector", "face_detector")
# A detector's look gives boxes, scores, and the numbers of their anchors (int64): so many of the
# surest, or all. What it is sure of are a few dozen of its thousands, about one person.
CANDIDATES = 256

Places = Float[np.ndarray, "K 5"]
"""float32: centre x and y, width, height in pixels of the frame; turned clockwise by radians."""


@runtime_checkable
class Engine(Protocol):
    """Looks at places in frames through a network."""

    def load(self, frames: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> Any:
        """Frames, of any sizes, in the form in which `look` takes them."""
        ...

    def look(
        self, network: str, frames: Any, which: Int[np.ndarray, " K"], places: Places
    ) -> list[Shaped[np.ndarray, "K ..."]]:
        """What a network says of K places, each in the frame with its number in `which`.

        Args:
            network: a name in `LENSES`.
            frames: as `load` gave them.

        Returns:
            the outputs that the network's lens names, with K rows, float32 but for numbers. K may
            be 0. Of "pose_landmarks": the refined points and the presence.
        """
        ...


@runtime_checkable
class LocalEngine(Engine, Protocol):
    """An engine in this process."""

    def join(self, loaded: Sequence[Any]) -> Any:
        """Several lots of frames, each as `load` gave it, as one, in order."""
        ...


class Guarded:
    """An engine whose failures say that they are the engine's, so that no video is blamed."""

    def __init__(self, engine: LocalEngine):
        self._engine = engine

    def load(self, frames: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> Any:
        with engine_failures():
            return self._engine.load(frames)

    def join(self, loaded: Sequence[Any]) -> Any:
        with engine_failures():
            return self._engine.join(loaded)

    def look(
        self, network: str, frames: Any, which: Int[np.ndarray, " K"], places: Places
    ) -> list[Shaped[np.ndarray, "K ..."]]:
        with engine_failures():
            return self._engine.look(network, frames, which, places)


@contextmanager
def engine_failures() -> Iterator[None]:
    """What goes wrong inside becomes an EngineError; what the user can mend, an InputError."""
    try:
        yield
    except (InputError, EngineError):
        raise
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's, which may not be there
            raise InputError(
                f"the GPU's memory is full ({error}); give a smaller --batch or fewer --workers"
            ) from error
        raise EngineError(f"running the networks failed: {error!r}") from error
