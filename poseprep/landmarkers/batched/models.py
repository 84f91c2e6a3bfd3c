"""The six networks of Holistic: those in MediaPipe's wheel, or in a bundle of the user's.

They are read where they lie; nothing is copied or unpacked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from poseprep.errors import InputError
from poseprep.landmarkers.batched.bundle import members
from poseprep.landmarkers.batched.engine import LENSES
from poseprep.landmarkers.batched.network import End, Ends, Strange, read_ends, read_network
from poseprep.landmarkers.mediapipe_graph import wheel

# By their path below the wheel's `modules`.
FILES = {
    "pose_detector": "pose_detection/pose_detection.tflite",
    "pose_landmarks": "pose_landmark/pose_landmark_full.tflite",
    "hand_recrop": "holistic_landmark/hand_recrop.tflite",
    "hand_landmarks": "hand_landmark/hand_landmark_full.tflite",
    "face_detector": "face_detection/face_detection_short_range.tflite",
    "face_landmarks": "face_landmark/face_landmark.tflite",
}


@dataclass(frozen=True)
class Model:
    """A network's file.

    Attributes:
        name: in `engine.LENSES`.
        source: the file's name, for a reader.
        data: the file.
        outputs: which of its outputs are read, in the order of the network's lens.
        of_bundle: whether it came in a bundle.
    """

    name: str
    source: str
    data: bytes
    outputs: tuple[int, ...]
    of_bundle: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def read_models(face: bool, bundle: Path | None = None) -> dict[str, Model]:
    """The networks by their names in `engine.LENSES`.

    Args:
        face: with those for the face.
        bundle: a .task file of MediaPipe's (https://ai.google.dev/edge/mediapipe), such as
            pose_landmarker_heavy.task. A network in it takes the place of the wheel's that it
            fits: with an input of the same shape, and with all outputs that are read. An output
            is known by its shape, or, where several have that shape, by its name; its place
            among the outputs may be another. What fits no network, such as the palm detector in
            hand_landmarker.task, is left where it is.

    Raises:
        InputError: the bundle is none, or is damaged, or nothing in it fits.
    """
    models = {
        name: Model(name, path, (wheel() / "modules" / path).read_bytes(), LENSES[name].outputs)
        for name, path in FILES.items()
        if face or not name.startswith("face")
    }
    return models | _fitting(bundle, models) if bundle else models


def _fitting(bundle: Path, models: dict[str, Model]) -> dict[str, Model]:
    """The networks of a bundle that take the place of ours."""
    found: dict[str, Model] = {}
    others = []
    for member, data in members(bundle):
        what = f"{bundle}: {member}"
        try:
            ends = read_ends(data, what)
        except Strange as error:
            others.append(str(error))
            continue
        fits = {
            name: outputs
            for name in models
            if (outputs := places(ends, _ends_in_wheel(name), LENSES[name].outputs)) is not None
        }
        if not fits:
            others.append(f"{member} with {_described(ends)}")
        for name, outputs in fits.items():
            if name in found:
                raise InputError(
                    f"{bundle}: expected one network for {name}, found {found[name].source} and "
                    f"{what}; give a bundle with one of them"
                )
            # A stranger's file: whether it hangs together shows here, not in a native library.
            read_network(data, outputs, what)
            found[name] = Model(name, what, data, outputs, of_bundle=True)
    if not found:
        expected = "; or ".join(f"{name}: {_described(_ends_in_wheel(name))}" for name in models)
        raise InputError(
            f"{bundle}: expected a network with the same input and outputs as one of MediaPipe "
            f"Holistic's ({expected}), found {'; '.join(others)}; give a pose, hand or holistic "
            "landmarker bundle"
        )
    return found


def places(found: Ends, expected: Ends, outputs: tuple[int, ...]) -> tuple[int, ...] | None:
    """Where a network has the outputs that are read of another; None if it does not fit.

    Args:
        outputs: places among the expected ones.
    """
    if [_form(end) for end in found.inputs] != [_form(end) for end in expected.inputs]:
        return None
    where = []
    for wanted in (expected.outputs[i] for i in outputs):
        alike = [i for i, end in enumerate(found.outputs) if _form(end) == _form(wanted)]
        if sum(_form(end) == _form(wanted) for end in expected.outputs) > 1 or len(alike) > 1:
            alike = [i for i in alike if found.outputs[i].name == wanted.name]
        if len(alike) != 1:
            return None
        where.append(alike[0])
    return tuple(where)


def _form(end: End) -> tuple[tuple[int, ...], bool]:
    return end.shape, end.float32


@cache
def _ends_in_wheel(name: str) -> Ends:
    path = wheel() / "modules" / FILES[name]
    return read_ends(path.read_bytes(), FILES[name])


def _described(ends: Ends) -> str:
    into, out = (
        ", ".join("×".join(map(str, end.shape)) for end in part)
        for part in (ends.inputs, ends.outputs)
    )
    return f"{into} → {out}"
