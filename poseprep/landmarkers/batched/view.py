"""Some frames as an engine holds them, and how a network's crop becomes shares of the frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from poseprep.errors import VideoError
from poseprep.landmarkers.batched.engine import Engine
from poseprep.landmarkers.batched.rectangles import (
    Points,
    Rectangles,
    Sizes,
    in_frame,
    in_pixels,
    squared,
    without_padding,
)

# OpenCV cuts crops out of no larger ones.
_LONGEST_SIDE = 32_766


@dataclass(frozen=True, eq=False)
class View:
    """N frames, of any sizes, loaded into an engine.

    Attributes:
        loaded: the frames as the engine's `load` gave them.
        sizes: their widths and heights.
    """

    engine: Engine
    loaded: Any
    sizes: Sizes

    @classmethod
    def of(cls, engine: Engine, frames: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> View:
        """Raises VideoError where a frame is too large to be looked at."""
        for frame in frames:
            if max(frame.shape[:2]) > _LONGEST_SIDE:
                rows, columns, _ = frame.shape
                raise VideoError(
                    f"frames of {columns} × {rows}, of which the batched landmarker reads "
                    f"{_LONGEST_SIDE} at most; scale the video down"
                )
        sizes = np.array([frame.shape[1::-1] for frame in frames], np.float32).reshape(-1, 2)
        return cls(engine, engine.load(frames), sizes)

    def look(
        self, network: str, which: Int[np.ndarray, " K"], pixels: Rectangles
    ) -> list[np.ndarray]:
        """What a network says of rectangles, in pixels, of the frames `which`."""
        return self.engine.look(network, self.loaded, which, pixels)


@dataclass(frozen=True, eq=False)
class Crops:
    """Square crops about rectangles of frames, and the way back from them.

    Attributes:
        which: the frame of each.
        places: the rectangles, as shares of their frames.
        pixels: the squares about them that are cut out, in pixels.
        padding: what of the squares is not the rectangle, left and above, as shares.
    """

    view: View
    which: Int[np.ndarray, " K"]
    places: Rectangles
    pixels: Rectangles
    padding: Float[np.ndarray, "K 2"]

    @classmethod
    def of(cls, view: View, which: Int[np.ndarray, " K"], places: Rectangles) -> Crops:
        pixels, padding = squared(in_pixels(places, view.sizes[which]))
        return cls(view, which, places, pixels, padding)

    def look(self, network: str) -> list[np.ndarray]:
        """What a network says of them."""
        return self.view.look(network, self.which, self.pixels)

    def in_frame(self, points: Points, kept: np.ndarray | slice = slice(None)) -> Points:
        """Points as shares of the crops, or of the crops `kept`, as shares of their frames."""
        return in_frame(without_padding(points, self.padding[kept]), self.places[kept])
