"""MediaPipe's hand network on a square of one's own choice."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from poseprep.landmarkers.mediapipe_graph import (
    Config,
    Graph,
    image_packet,
    message,
    number,
    rectangle_packet,
)
from poseprep.landmarkers.mediapipe_holistic import BINARY, SETTINGS
from poseprep.landmarkers.mediapipe_wire import fields, landmarks, rectangle

HAND_MODEL = "hand_landmark/hand_landmark_full.tflite"

# Holistic's own nodes for the left hand, behind the choice of the square; the right's are alike.
_LEFT = "handlandmarksleftandrightcpu__"
_SQUARE = f"{_LEFT}left_hand_tracking_roi"
_NETWORK = f"{_LEFT}handlandmarksfromposecpu_1__handlandmarkcpu__"
_POINTS = "left_hand_landmarks"
_PRESENCE = f"{_NETWORK}hand_presence_score"
_SIDE = f"{_NETWORK}handedness"


class Square(NamedTuple):
    """Where to look; units are the frame's height, `turn` clockwise in radians.

    Without a turn the network expects the wrist at the bottom and the fingers above it.
    """

    x: float
    y: float
    size: float
    turn: float


class Sight(NamedTuple):
    """What the network sees in a square."""

    points: Float[np.ndarray, "21 3"]
    """Units as in `Clip`."""
    presence: float
    """How sure it is that there is a hand, 0.5 to 1."""
    left: float
    """How much it looks like a left hand, 0..1."""


Sees = Callable[[UInt8[np.ndarray, "H W 3"], Square], Sight | None]


@contextmanager
def hand_network() -> Iterator[Sees]:
    """A function from a frame and a square to the hand there; None where it sees none.

    It has no memory: the same picture and square give the same points.
    """
    outputs = (_POINTS, _PRESENCE, _SIDE)
    graph = Graph(_config().giving(outputs), outputs, SETTINGS)

    def see(frame: UInt8[np.ndarray, "H W 3"], square: Square) -> Sight | None:
        aspect = frame.shape[1] / frame.shape[0]
        x, y, size, turn = square
        where = rectangle_packet(rectangle(x / aspect, y, size / aspect, size, turn))
        seen = graph(**{"image": image_packet(frame), _SQUARE: where})
        if _POINTS not in seen:
            return None
        points = landmarks(message(seen[_POINTS]), 21)[:, :3] * np.array((aspect, 1.0, aspect))
        return Sight(
            points.astype(np.float32), number(seen[_PRESENCE]), _leftness(message(seen[_SIDE]))
        )

    try:
        yield see
    finally:
        graph.close()


@cache
def _config() -> Config:
    config = Config.of_wheel(BINARY)
    return config._replace(inputs=(*config.inputs, f"NORM_RECT:{_SQUARE}"))


def _leftness(found: bytes) -> float:
    """From a ClassificationList, whose one entry holds a label and the label's score.

    MediaPipe's names are those of a mirror's image; our pictures are not mirrored.
    """
    entry = dict(fields(dict(fields(found))[1]))
    (score,) = struct.unpack("<f", entry[2])
    return score if entry[3] == b"Right" else 1.0 - score
