"""Turned rectangles in a frame: where MediaPipe's graphs look, and the way back from there.

A rectangle is x and y of its centre, width and height, all as shares of the frame's width and
height, and by how much it is turned, clockwise, in radians (NormalizedRect in
mediapipe/framework/formats/rect.proto). All is float32 in the order of operations of MediaPipe's
calculators, which the functions name, so that the same crops come out, to the bit.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from poseprep.landmarkers.batched import libm

Rectangles = Float[np.ndarray, "K 5"]
Sizes = Float[np.ndarray, "K 2"]
"""Widths and heights of the frames, in pixels."""
Points = Float[np.ndarray, "K N C"]
"""Points as shares of width and height: x, y and more."""
Point = Float[np.ndarray, "K 2"]

f32 = np.float32


def whole(sizes: Sizes) -> Rectangles:
    """All of each frame."""
    rectangles = np.zeros((len(sizes), 5), f32)
    rectangles[:, :2], rectangles[:, 2:4] = 0.5, 1.0
    return rectangles


def turn(start: Point, end: Point, upright_degrees: float) -> Float[np.ndarray, " K"]:
    """By how much a line has turned from where it points in an upright picture.

    Args:
        start, end: in pixels.
        upright_degrees: where it points there: 0 is right, 90 up.
    """
    dx, dy = (end - start).T
    return within_half_turn(f32(math.pi * upright_degrees / 180) - libm.atan2(-dy, dx))


def within_half_turn(angle: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
    """The same angle in −π..π."""
    angle = angle.astype(np.float64)
    return (angle - 2 * math.pi * np.floor((angle + math.pi) / (2 * math.pi))).astype(f32)


def about(
    centre: Point, edge: Point, rotation: Float[np.ndarray, " K"], sizes: Sizes
) -> Rectangles:
    """The square about a point that reaches as far as another; AlignmentPointsRectsCalculator.

    Args:
        centre, edge: in pixels.
    """
    step = edge - centre
    side = np.sqrt(step[:, 0] * step[:, 0] + step[:, 1] * step[:, 1]) * f32(2)
    return np.column_stack([centre / sizes, side[:, None] / sizes, rotation])


def box(points: Points) -> Float[np.ndarray, "K 4"]:
    """Centre, width and height of the upright box about points."""
    low, high = points[..., :2].min(axis=1), points[..., :2].max(axis=1)
    return np.concatenate([(low + high) / f32(2), high - low], axis=1)


def box_by_corner(points: Points) -> Float[np.ndarray, "K 4"]:
    """The same by another sum, and never with an end left of or above the frame.

    LandmarksToDetectionCalculator begins its maxima with the smallest positive number.
    """
    low, high = points[..., :2].min(axis=1), points[..., :2].max(axis=1)
    size = np.maximum(high, np.finfo(f32).tiny) - low
    return np.concatenate([low + size / f32(2), size], axis=1)


def grown(rectangles: Rectangles, sizes: Sizes, scale: float, shift_y: float = 0.0) -> Rectangles:
    """Shifted along their own height, then made square, then larger; RectTransformationCalculator.

    Args:
        shift_y: as a share of the height.
    """
    _, _, width, height, rotation = rectangles.T
    columns, rows = sizes.T
    found = rectangles.copy()
    if shift_y:
        along = rows * height * f32(shift_y)
        found[:, 0] -= along * libm.sin(rotation) / columns
        turned = along * libm.cos(rotation) / rows
        found[:, 1] += np.where(rotation == 0, height * f32(shift_y), turned)
    side = np.maximum(width * columns, height * rows)
    found[:, 2:4] = side[:, None] / sizes * f32(scale)
    return found


def in_pixels(rectangles: Rectangles, sizes: Sizes) -> Rectangles:
    """Centre, width and height in pixels."""
    found = rectangles.copy()
    found[:, :2] *= sizes
    found[:, 2:4] *= sizes
    return found


def squared(pixels: Rectangles) -> tuple[Rectangles, Float[np.ndarray, "K 2"]]:
    """Widened or heightened to a square, and what was added left and above, as shares of it.

    PadRoi of image_to_tensor_utils.cc. Squares come with a rounding's worth of padding, which
    MediaPipe takes off again, and so do we.
    """
    width, height = pixels[:, 2], pixels[:, 3]
    ratio = height / width
    flat = ratio < 1
    padding = np.zeros((len(pixels), 2), f32)
    padding[:, 1] = np.where(flat, (f32(1) - ratio) / f32(2), f32(0))
    padding[:, 0] = np.where(flat, f32(0), (f32(1) - f32(1) / ratio) / f32(2))
    square = pixels.copy()
    square[:, 2:4] = np.where(flat, width, height)[:, None]
    return square, padding


def without_padding(points: Points, padding: Float[np.ndarray, "K 2"]) -> Points:
    """Points of a padded crop as shares of what is not padding; LandmarkLetterboxRemoval."""
    inner = f32(1) - (padding + padding)
    found = points.copy()
    found[..., :2] = (points[..., :2] - padding[:, None]) / inner[:, None]
    if points.shape[-1] > 2:
        found[..., 2] = points[..., 2] / inner[:, :1]
    return found


def in_frame(points: Points, rectangles: Rectangles) -> Points:
    """Points in shares of a rectangle as shares of its frame; LandmarkProjectionCalculator."""
    x, y = points[..., 0] - f32(0.5), points[..., 1] - f32(0.5)
    centre_x, centre_y, width, height, rotation = rectangles.T[:, :, None]
    sin, cos = libm.sin(rotation), libm.cos(rotation)
    found = points.copy()
    found[..., 0] = (cos * x - sin * y) * width + centre_x
    found[..., 1] = (sin * x + cos * y) * height + centre_y
    if points.shape[-1] > 2:
        found[..., 2] = points[..., 2] * width
    return found


def in_frame_by_matrix(points: Points, pixels: Rectangles, sizes: Sizes) -> Points:
    """The same for x and y by a matrix; GetRotatedSubRectToRectTransformMatrix.

    Args:
        pixels: the rectangles in pixels.
    """
    centre_x, centre_y, width, height, rotation = pixels.T
    sin, cos = libm.sin(rotation), libm.cos(rotation)
    column, row = (f32(1) / sizes).T
    half = f32(0.5)
    offset_x = (-half * width * cos + half * height * sin + centre_x) * column
    offset_y = (-half * height * cos - half * width * sin + centre_y) * row
    x, y = points[..., 0], points[..., 1]
    matrix = (width * cos * column, -height * sin * column, width * sin * row, height * cos * row)
    a, b, c, d = (entry[:, None] for entry in matrix)
    found = points.copy()
    found[..., 0] = x * a + y * b + offset_x[:, None]
    found[..., 1] = x * c + y * d + offset_y[:, None]
    return found


def usable(rectangles: Rectangles) -> np.ndarray:
    """Which can be looked into at all: MediaPipe ends with an error where one cannot."""
    sound = np.isfinite(rectangles).all(axis=1)
    return sound & (rectangles[:, 2] > 0) & (rectangles[:, 3] > 0)
