"""MediaPipe's smoothing in time: a one-euro filter for places, a low-pass for visibility.

"1€ Filter" (Casiez et al., CHI 2012, https://doi.org/10.1145/2207676.2208639): a low-pass whose
cut-off rises with speed, so that a still hand does not tremble and a fast one does not lag.
Numbers are those of mediapipe/modules/pose_landmark/pose_landmark_filtering.pbtxt; types are those
of mediapipe/util/filtering, so that MediaPipe's video mode comes out.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from poseprep.landmarkers.batched.pose import Bodies, extent
from poseprep.landmarkers.batched.rectangles import Sizes

f32 = np.float32
# What MediaPipe's Python API takes for the time between two frames, whatever the video says.
_FREQUENCY = 1 / (33_333_000 * 1e-9)
_DERIVATIVE_CUTOFF = 1.0
_VISIBILITY_ALPHA = f32(0.1)
_SMALLEST = f32(1e-6)


class OneEuro:
    """Smooths (N, 3) places, in pixels, of frames that follow each other.

    Args:
        cutoff: of something that stands still, Hz.
        beta: how much it rises with speed.
    """

    def __init__(self, cutoff: float, beta: float):
        self._cutoff, self._beta = float(f32(cutoff)), float(f32(beta))
        self.forget()

    def forget(self) -> None:
        """The next frame is the first."""
        self._raw: Float[np.ndarray, "N 3"] | None = None

    def __call__(
        self, places: Float[np.ndarray, "N 3"], object_pixels: np.float32
    ) -> Float[np.ndarray, "N 3"]:
        """Args:
        object_pixels: speeds are measured in sizes of this a second.
        """
        if object_pixels < _SMALLEST:
            return places
        if self._raw is None:
            self._smooth, self._speed = places, np.zeros_like(places)
        else:
            step = places.astype(np.float64) - self._raw
            speed = (step * float(f32(1) / object_pixels) * _FREQUENCY).astype(f32)
            self._speed = _mixed(speed, self._speed, _alpha(np.float64(_DERIVATIVE_CUTOFF)))
            cutoff = self._cutoff + self._beta * np.abs(self._speed.astype(np.float64))
            self._smooth = _mixed(places, self._smooth, _alpha(cutoff))
        self._raw = places
        return self._smooth


class BodySmoother:
    """Smooths the 33 points of the body in one video, frame after frame."""

    def __init__(self) -> None:
        self._places = OneEuro(0.05, 80.0)
        self._visibility: Float[np.ndarray, " 33"] | None = None

    def forget(self) -> None:
        """There was no body: places begin anew; how well points were seen goes on, as there."""
        self._places.forget()

    def smooth(self, bodies: Bodies, sizes: Sizes) -> Bodies:
        """The bodies of frames of these widths and heights that follow each other."""
        points, scale = bodies.points.copy(), extent(bodies.guides, sizes[bodies.which])
        number = {int(frame): i for i, frame in enumerate(bodies.which)}
        for frame, size in enumerate(sizes):
            i = number.get(frame)
            if i is None:
                self.forget()
            else:
                points[i] = self(points[i], size, scale[i])
        return bodies._replace(points=points)

    def __call__(
        self,
        points: Float[np.ndarray, "33 C"],
        size: Float[np.ndarray, "2"],
        object_pixels: np.float32,
    ) -> Float[np.ndarray, "33 C"]:
        """Points of x, y, z and visibility, as shares of a frame of this width and height."""
        smooth = smoothed(self._places, points, size, object_pixels)
        if self._visibility is not None:
            smooth[:, 3] = _mixed(points[:, 3], self._visibility, _VISIBILITY_ALPHA)
        self._visibility = smooth[:, 3].copy()
        return smooth


def smoothed(
    smoother: OneEuro,
    points: Float[np.ndarray, "N C"],
    size: Float[np.ndarray, "2"],
    object_pixels: np.float32,
) -> Float[np.ndarray, "N C"]:
    """Points as shares of the frame, their places smoothed in pixels."""
    scale = np.array([size[0], size[1], size[0]], f32)
    found = points.copy()
    found[:, :3] = smoother(points[:, :3] * scale, object_pixels) / scale
    return found


def unsmoothed(bodies: Bodies, sizes: Sizes) -> Bodies:
    """Bodies of frames of these sizes as MediaPipe gives them where it does not smooth.

    It goes to pixels and back all the same, which rounds.
    """
    scale = sizes[bodies.which][:, None, [0, 1, 0]]
    points = bodies.points.copy()
    points[..., :3] = points[..., :3] * scale / scale
    return bodies._replace(points=points)


def _alpha(cutoff: Float[np.ndarray, "..."] | np.float64) -> Float[np.ndarray, "..."]:
    return np.asarray(1 / (1 + 1 / (2 * math.pi * cutoff) / (1 / _FREQUENCY))).astype(f32)


def _mixed(
    new: Float[np.ndarray, "..."],
    old: Float[np.ndarray, "..."],
    alpha: Float[np.ndarray, "..."] | np.float32,
) -> Float[np.ndarray, "..."]:
    """A step of a low-pass: `alpha` of the new."""
    rest = 1.0 - np.asarray(alpha).astype(np.float64)
    # A number does not make numpy's float32 arrays float64, as it does in C++.
    return ((alpha * new).astype(np.float64) + rest * old.astype(np.float64)).astype(f32)
