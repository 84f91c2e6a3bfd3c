"""MediaPipe Holistic's graph without what nobody reads.

The numbers are those of `mp.solutions.holistic.Holistic(model_complexity=1).process`, bit for
bit (tests/test_landmarker_exact.py), for three quarters of its CPU time: the pose network
leaves out its mask of the person, and nothing becomes a Python object on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from poseprep.clip import DETECTED, MISSING
from poseprep.landmarkers import Landmarks
from poseprep.landmarkers.flatbuffer import needed, pack, unpack
from poseprep.landmarkers.mediapipe_graph import (
    NODE_INPUT_SIDE,
    NODE_OPTIONS,
    Config,
    Graph,
    image_packet,
    message,
    wheel,
)
from poseprep.landmarkers.mediapipe_wire import field, landmarks
from poseprep.skeleton import HOLISTIC

# MediaPipe's own defaults, written out because they are part of what a store records.
SETTINGS: dict[str, Any] = {
    "model_complexity": 1,
    "smooth_landmarks": True,
    "refine_face_landmarks": False,
    "min_detection_confidence": 0.5,
    "min_tracking_confidence": 0.5,
}
# Where every frame is looked at alone.
ALONE: dict[str, Any] = {"static_image_mode": True, "smooth_landmarks": False}
POSE_MODEL = "pose_landmark/pose_landmark_full.tflite"
MODELS = (
    "pose_detection/pose_detection.tflite",
    POSE_MODEL,
    "holistic_landmark/hand_recrop.tflite",
    "hand_landmark/hand_landmark_full.tflite",
)
FACE_MODELS = (
    "face_detection/face_detection_short_range.tflite",
    "face_landmark/face_landmark.tflite",
)

_BINARY = "modules/holistic_landmark/holistic_landmark_cpu.binarypb"
# Parts of HOLISTIC, in its order, as the graph names them.
_STREAMS = {
    "body": "pose_landmarks",
    "left_hand": "left_hand_landmarks",
    "right_hand": "right_hand_landmarks",
    "face": "face_landmarks",
}
# The pose network's outputs: landmarks, whether there is a person, mask, heat maps, landmarks
# in metres.
_MASK, _PRESENCE = 2, 1
_POSE_FILE = "poselandmarkcpu__poselandmarkbyroicpu__poselandmarkmodelloader__model_resource"
_CHANGES = (
    (
        field(NODE_INPUT_SIDE, f"MODEL_RESOURCE:{_POSE_FILE}".encode()),
        field(NODE_INPUT_SIDE, b"MODEL_BLOB:pose_model"),
    ),
    # On its way through Python the graph loses the options that the wheel has no Python class
    # for. What users of MediaPipe get is therefore a heat map read over 9 cells, not over 7.
    (field(NODE_OPTIONS, bytes.fromhex("aaabffe50a020807")), b""),
)


class Look(NamedTuple):
    """What Holistic sees in one frame: a part's landmarks in widths and heights, (Vp, C)."""

    parts: dict[str, Float[np.ndarray, "Vp C"]]
    aspect: float
    """The frame's width over its height."""

    def landmarks(self) -> Landmarks:
        """As `HOLISTIC` points with one unit, the frame's height, on every axis."""
        points = np.full((len(HOLISTIC), 3), np.nan, np.float32)
        confidence = np.zeros(len(HOLISTIC), np.float32)
        source = np.full(len(HOLISTIC.parts), MISSING, np.uint8)
        for i, (name, where) in enumerate(HOLISTIC.parts.items()):
            found = self.parts.get(name)
            if found is None:
                continue
            # In double precision, as x·W/H in Python is.
            points[where] = found[:, :3] * np.array((self.aspect, 1.0, self.aspect))
            # Visibility may be 0 for a point that is given all the same; 0 would mean missing.
            confidence[where] = np.maximum(found[:, 3], 1 / 255) if name == "body" else 1.0
            source[i] = DETECTED
        return Landmarks(points, confidence, source)


@contextmanager
def holistic(
    face: bool, alone: bool = False, smooth: bool = True, reset: bool = True
) -> Iterator[Callable[[UInt8[np.ndarray, "H W 3"]], Look]]:
    """Holistic in video mode, for the frames of one video, in order; `face`: with the face.

    Without `smooth`, `Holistic(smooth_landmarks=False)`: the body is not smoothed in time.

    With `alone`, what is seen in a frame depends on no other: `Holistic(static_image_mode=True)`
    with a `reset` before every frame. Without `reset`, static mode only finds the body anew; hands
    and face are still looked for where they were in the frame before, and differ in most frames.

    Every video has a graph of its own, which costs as much as three frames. One graph for all
    would need its memory wiped; a frame without a person wipes where things were, but not how
    well the wrists were seen, which decides whether a hand is looked for.
    """
    streams = {name: s for name, s in _STREAMS.items() if face or name != "face"}
    settings = chosen_settings(alone, smooth)
    side = {
        "model_complexity": settings["model_complexity"],
        "smooth_landmarks": settings["smooth_landmarks"],
        "refine_face_landmarks": settings["refine_face_landmarks"],
        "use_prev_landmarks": not alone,
        "enable_segmentation": False,
        "pose_model": _pose_model(),
    }
    graph = Graph(_config().giving(streams.values()), streams.values(), side)

    def look(frame: UInt8[np.ndarray, "H W 3"]) -> Look:
        if alone and reset:
            graph.restart()
        seen = graph(image=image_packet(frame))
        parts = {}
        for part, stream in streams.items():
            if stream in seen:
                where = HOLISTIC.parts[part]
                parts[part] = landmarks(message(seen[stream]), where.stop - where.start)
        return Look(parts, frame.shape[1] / frame.shape[0])

    try:
        yield look
    finally:
        graph.close()


def chosen_settings(alone: bool = False, smooth: bool = True) -> dict[str, Any]:
    """What MediaPipe's settings are in the modes of `holistic`."""
    return SETTINGS | {"smooth_landmarks": smooth} | (ALONE if alone else {})


@cache
def _config() -> Config:
    """Holistic's graph as MediaPipe's Python API runs it, with the pose network given as bytes."""
    config = Config.of_wheel(_BINARY)
    if not all(any(before in node for node in config.nodes) for before, _ in _CHANGES):
        raise RuntimeError(f"{_BINARY} is not that of mediapipe 0.10.21; install that version")
    nodes = tuple(_as_in_python(node) for node in config.nodes)
    return Config(nodes, config.inputs, (*config.side_inputs, "pose_model"))


def _as_in_python(node: bytes) -> bytes:
    for before, after in _CHANGES:
        node = node.replace(before, after)
    return node


@cache
def _pose_model() -> bytes:
    """MediaPipe's pose network without what draws a mask of the person, a quarter of its time."""
    model = unpack((wheel() / "modules" / POSE_MODEL).read_bytes(), POSE_MODEL)
    (graph,) = model.subgraphs
    # Another output stands in the mask's place, so that those after it keep their numbers.
    graph.outputs = [int(number) for number in graph.outputs]
    graph.outputs[_MASK] = graph.outputs[_PRESENCE]
    graph.operators = needed(graph.operators, graph.outputs)
    return pack(model)
