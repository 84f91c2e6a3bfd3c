"""MediaPipe Holistic with the models that its wheel carries: the reference landmarker."""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from poseprep.landmarkers import AtOnce, Landmarks, Track
from poseprep.landmarkers.chosen_points import ChosenPoints
from poseprep.landmarkers.mediapipe_graph import wheel
from poseprep.landmarkers.mediapipe_holistic import (
    FACE_MODELS,
    MODELS,
    chosen_settings,
    holistic,
)
from poseprep.landmarkers.second_look import SecondLook, Trust


class MediaPipeHolistic:
    """`mp.solutions.holistic`, in video mode: 543 points a frame or fewer, one person.

    The landmarks are MediaPipe's own: x·W/H, y and z·W/H, so that one unit is the height of
    the frame on every axis. Confidence is `visibility` for the body, and 1 for every point of
    a hand or face that was found.

    Args:
        face: what to give of the face, a name in `poseprep.skeleton.FACES`. Without any, the
            networks for the face do not run.
        recover: give a lost hand a second look (docs/recovery.md).
        alone: look at every frame as if there were no other. It takes two or three times as long:
            to be compared with, not for extraction.
        smooth: as MediaPipe does, unless `alone`. Without it to be compared with, too.
        reset: with `alone`; without it, MediaPipe's static mode as it is, which still looks for
            hands and face where they were. To be compared with, too.
    """

    def __init__(
        self,
        face: str = "full",
        recover: bool = True,
        alone: bool = False,
        smooth: bool = True,
        reset: bool = True,
    ):
        self._chosen = ChosenPoints(face)
        self.skeleton = self._chosen.skeleton
        self._recover, self._alone, self._smooth, self._reset = recover, alone, smooth, reset

    @contextmanager
    def tracker(self) -> Iterator[Track]:
        again = SecondLook()
        with holistic(self._chosen.face, self._alone, self._smooth, self._reset) as look:

            def see(frame: np.ndarray) -> Landmarks:
                found = look(frame).landmarks()
                if self._recover:
                    found = (SecondLook() if self._alone else again)(frame, found)
                return self._chosen(found)

            yield AtOnce(see)

    def shared(self) -> AbstractContextManager[str]:
        return nullcontext("")

    def describe(self) -> dict[str, Any]:
        settings = chosen_settings(self._alone, self._smooth)
        if not self._reset:
            settings |= {"unreset": True}
        models = MODELS + (FACE_MODELS if self._chosen.face else ())
        return {
            "name": "mediapipe",
            "version": version("mediapipe"),
            "models": {
                name: hashlib.sha256((wheel() / "modules" / name).read_bytes()).hexdigest()
                for name in models
            },
            "settings": settings | ({"second_look": asdict(Trust())} if self._recover else {}),
        }
