"""MediaPipe's networks on a CPU: LiteRT, one crop after the other, MediaPipe's own bits.

On a CPU a batch is no quicker than its crops one by one: one crop fills the core, and its data
stays in the cache.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import cv2
import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from poseprep.errors import InputError
from poseprep.landmarkers.batched.crops import levels, to_crop
from poseprep.landmarkers.batched.engine import DETECTORS, LENSES, Lens, Places
from poseprep.landmarkers.batched.heat_maps import refined
from poseprep.landmarkers.batched.litert_model import for_litert
from poseprep.landmarkers.batched.models import Model

Frames = list[UInt8[np.ndarray, "_ _ 3"]]


class LiteRTEngine:
    """Networks run by LiteRT (https://ai.google.dev/edge/litert) with XNNPACK, in float32.

    Args:
        models: what `read_models` gave.

    Raises:
        InputError: LiteRT takes one of the networks for none.
    """

    def __init__(self, models: Mapping[str, Model]):
        with _silence():
            self._networks = {name: _Network(model) for name, model in models.items()}

    def load(self, frames: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> Frames:
        return list(frames)

    def join(self, loaded: Sequence[Frames]) -> Frames:
        return [frame for frames in loaded for frame in frames]

    def look(
        self, network: str, frames: Frames, which: Int[np.ndarray, " K"], places: Places
    ) -> list[Shaped[np.ndarray, "K ..."]]:
        """See `engine.Engine`."""
        chosen = self._networks[network]
        if not len(which):
            return chosen.nothing()
        rows = zip(
            *(
                chosen(frames[i], place)
                for i, place in zip(which, np.asarray(places, np.float32), strict=True)
            ),
            strict=True,
        )
        return [np.concatenate(row) for row in rows]


@contextmanager
def _silence() -> Iterator[None]:
    """LiteRT greets past Python, on the terminal, where the progress bar is."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class _Network:
    """One network, ready to run, and its crops."""

    def __init__(self, model: Model):
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(
                model_content=for_litert(model.data, model.outputs, model.source),
                num_threads=1,
            )
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"{model.source}: expected a network that LiteRT can run, found one that it "
                f"cannot ({error}); give another bundle or none"
            ) from error
        self._name, self._lens = model.name, LENSES[model.name]
        self._levels = levels(self._lens)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def __call__(
        self, frame: UInt8[np.ndarray, "H W 3"], place: Float[np.ndarray, "5"]
    ) -> list[Shaped[np.ndarray, "1 ..."]]:
        crop = cv2.LUT(cut(frame, place, self._lens), self._levels)
        self._interpreter.set_tensor(self._input, crop[None])
        self._interpreter.invoke()
        return self._read([self._interpreter.get_tensor(i) for i in self._outputs])

    def _read(self, outputs: list[np.ndarray]) -> list[np.ndarray]:
        if self._name in DETECTORS:
            boxes, scores = outputs
            numbers = np.arange(boxes.shape[1])
            return [boxes, scores[..., 0], np.broadcast_to(numbers, scores.shape[:2])]
        if self._name != "pose_landmarks":
            return outputs
        points, presence, maps = outputs
        return [refined(points, maps, self._lens.size), presence]

    def nothing(self) -> list[Shaped[np.ndarray, "0 ..."]]:
        details = self._interpreter.get_output_details()
        return self._read([np.zeros((0, *d["shape"][1:]), np.float32) for d in details])


def cut(
    frame: UInt8[np.ndarray, "H W 3"], place: Float[np.ndarray, "5"], lens: Lens
) -> UInt8[np.ndarray, "S S 3"]:
    """A place in a frame as an upright square."""
    return cv2.warpPerspective(
        frame,
        to_crop(place, lens.size),
        (lens.size, lens.size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT if lens.black_border else cv2.BORDER_REPLICATE,
    )
