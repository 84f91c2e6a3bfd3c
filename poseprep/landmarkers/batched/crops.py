"""Where the pixels of a crop lie in its frame, as MediaPipe's ImageToTensorCalculator has it.

Source: mediapipe/calculators/tensor/image_to_tensor_converter_opencv.cc.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

from poseprep.landmarkers.batched.engine import Lens


def to_crop(place: Float[np.ndarray, "5"], size: int) -> Float[np.ndarray, "3 3"]:
    """The float64 matrix from a frame's pixels to those of a square crop, `size` cells wide.

    Args:
        place: centre x and y, width, height in pixels; turned clockwise by radians.
    """
    x, y, width, height, turn = np.asarray(place, np.float32)
    degrees = np.float32(np.float64(turn * np.float32(180)) / np.pi)
    box = ((float(x), float(y)), (float(width), float(height)), float(degrees))
    return cv2.getPerspectiveTransform(cv2.boxPoints(box), _corners(size))


def to_frame(places: Float[np.ndarray, "K 5"], size: int) -> Float[np.ndarray, "K 3 3"]:
    """The way back: the matrices from a crop's pixels to the frame's, as OpenCV inverts them."""
    return np.array([cv2.invert(to_crop(place, size))[1] for place in places]).reshape(-1, 3, 3)


def levels(lens: Lens) -> Float[np.ndarray, "256"]:
    """What a network gets for each value of a pixel: value · scale + low, rounded once.

    OpenCV's `convertTo` takes fused multiply-add; in double precision the product is exact.
    """
    scale = np.float64(np.float32(lens.high - lens.low) / np.float32(255))
    return (np.arange(256) * scale + lens.low).astype(np.float32)


def _corners(size: int) -> Float[np.ndarray, "4 2"]:
    """Of the crop, in the order of `cv2.boxPoints`: from the lower left one, clockwise."""
    return np.array(((0, size), (0, 0), (size, 0), (size, size)), np.float32)
