"""MediaPipe's hand network alone, in a place of our choice."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

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
from poseprep.landmarkers.mediapipe_wire import fields, landmarks, rectangle
from poseprep.skeleton import HAND_NAMES


class Place(NamedTuple):
    """A square of the picture to look in, turned so that a hand's fingers point up in it."""

    centre: Float[np.ndarray, "2"]
    size: float
    rotation: float


class Sight(NamedTuple):
    """A hand as the network sees it.

    Attributes:
        points: in units of the frame's height.
        presence: how sure the network is that it is a hand, 0..1.
        left: how likely it is a left one, 0..1.
    """

    points: Float[np.ndarray, "21 3"]
    presence: float
    left: float


# The names inside Holistic's graph of the left hand's landmark network; it is one for both sides.
_PLACE = "handlandmarksleftandrightcpu__left_hand_tracking_roi"
_NETWORK = "handlandmarksleftandrightcpu__handlandmarksfromposecpu_1__handlandmarkcpu__"
_POINTS, _PRESENCE = "left_hand_landmarks", f"{_NETWORK}hand_presence_score"
_SIDE = f"{_NETWORK}handedness"
# A place's, in heights.
LARGEST = 10.0
_BINARY = "modules/holistic_landmark/holistic_landmark_cpu.binarypb"


@cache
def _network() -> Graph:
    """The hand network, with the place to look in as an input. It remembers nothing."""
    streams = (_POINTS, _PRESENCE, _SIDE)
    whole = Config.of_wheel(_BINARY)
    config = Config(
        tuple(node for node in whole.nodes if not whole.gives(node, _PLACE)),
        ("image", _PLACE),
        whole.side_inputs,
    )
    return Graph(config.giving(streams), streams, {"model_complexity": 1})


def see(frame: UInt8[np.ndarray, "H W 3"], place: Place) -> Sight | None:
    """What the network finds in a place; None where it finds no hand."""
    height, width = frame.shape[:2]
    (x, y), aspect = place.centre, width / height
    if not 1 / height < place.size < LARGEST:  # the graph would end with an error
        return None
    corner = rectangle(x / aspect, y, place.size / aspect, place.size, place.rotation)
    try:
        seen = _network()(image=image_packet(frame), **{_PLACE: rectangle_packet(corner)})
    except Exception:
        _network.cache_clear()  # a graph that ended with an error gives nothing ever again
        raise
    if _POINTS not in seen:
        return None
    points = landmarks(message(seen[_POINTS]), len(HAND_NAMES))[:, :3]
    return Sight(
        points.astype(float) * (aspect, 1.0, aspect), number(seen[_PRESENCE]), _left(seen[_SIDE])
    )


def _left(packet: Any) -> float:
    """How likely it is a left hand. MediaPipe names hands as a mirror image shows them."""
    ((_, classification),) = fields(message(packet))  # of a ClassificationList
    values = dict(fields(classification))
    score = float(np.frombuffer(values[_SCORE], "<f4")[0])
    return score if values[_LABEL] == b"Right" else 1 - score


# Field numbers in mediapipe/framework/formats/classification.proto.
_SCORE, _LABEL = 2, 3
