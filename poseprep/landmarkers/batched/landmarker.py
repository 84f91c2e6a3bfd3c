"""The landmarker `batched`: MediaPipe's networks, run by ourselves, several frames at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from ctypes.util import find_library
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from poseprep.errors import InputError
from poseprep.landmarkers import AtOnce, Landmarks, Track
from poseprep.landmarkers.batched import PIPELINE
from poseprep.landmarkers.batched.engine import Engine, LocalEngine
from poseprep.landmarkers.batched.hands import see
from poseprep.landmarkers.batched.holistic import landmark
from poseprep.landmarkers.batched.models import Model, read_models
from poseprep.landmarkers.batched.shared import SharedEngine, sharing
from poseprep.landmarkers.batched.smoothing import BodySmoother
from poseprep.landmarkers.batched.tracking import Tracker
from poseprep.landmarkers.chosen_points import ChosenPoints
from poseprep.landmarkers.second_look import SecondLook, Trust

# On a GPU: more fill it no better, and take memory.
_CROPS_AT_ONCE = 128


class BatchedHolistic:
    """Holistic as MediaPipe has it, of our own make: 543 points a frame or fewer, one person.

    Every frame is looked at alone, unless `track`. Units and confidence are those of
    `MediaPipeHolistic`.

    Args:
        face: what to give of the face, a name in `poseprep.skeleton.FACES`. Without any, the
            networks for the face do not run.
        recover: give a lost hand a second look (docs/recovery.md).
        track: follow a person from frame to frame, as MediaPipe's video mode does. Frames then
            go one by one.
        smooth: smooth the body's points in time, as MediaPipe's video mode does.
        device: `cpu` is LiteRT, `cuda` torch on a GPU, `auto` a GPU where there is one.
        batch: frames looked at together.
        precision: of the networks on a GPU.
        model: a `.task` bundle with networks to take instead of MediaPipe's own; empty is none.
        compile: compile the networks for a GPU.
        shared: the address of an engine that other processes use, too; see `shared`.

    Raises:
        InputError: there is no such GPU, or the bundle is none.
    """

    def __init__(
        self,
        face: str = "full",
        recover: bool = True,
        *,
        track: bool = False,
        smooth: bool = False,
        device: str = "auto",
        batch: int = 16,
        precision: str = "float32",
        model: str = "",
        compile: bool = False,
        shared: str = "",
    ):
        self._chosen = ChosenPoints(face)
        self.skeleton, self._face = self._chosen.skeleton, self._chosen.face
        self._recover, self._track, self._smooth, self._batch = recover, track, smooth, batch
        self._models = read_models(self._face, Path(model) if model else None)
        self._device, self._precision = chosen_device(device, precision, compile), precision
        self._compile, self._address = compile, shared
        self._made: Engine | None = None

    @property
    def _engine(self) -> Engine:
        """Made when it is needed: describing a landmarker needs no networks in memory."""
        if self._made is None:
            self._made = SharedEngine(self._address) if self._address else self._maker()
        return self._made

    @property
    def _maker(self) -> Callable[[], LocalEngine]:
        return partial(make_engine, self._models, self._device, self._precision, self._compile)

    def shared(self) -> AbstractContextManager[str]:
        """A GPU is one process's, which looks at everybody's frames; cores are everyone's own."""
        return sharing(self._maker) if self._device == "cuda" else nullcontext("")

    @contextmanager
    def tracker(self) -> Iterator[Track]:
        yield AtOnce(self._follower()) if self._track else _Batches(self._looker(), self._batch)

    def _follower(self) -> Any:
        tracker, again = Tracker(self._engine, self._face, self._smooth), self._second_look()

        def follow(frame: UInt8[np.ndarray, "H W 3"]) -> Landmarks:
            found = tracker(frame).landmarks()
            return self._chosen(again(frame, found) if again else found)

        return follow

    def _looker(self) -> Any:
        smoother, again = BodySmoother() if self._smooth else None, self._second_look()

        def look(frames: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> list[Landmarks]:
            looks = landmark(frames, self._engine, self._face, smoother)
            found = [look.landmarks() for look in looks]
            if again:
                found = [again(*each) for each in zip(frames, found, strict=True)]
            return [self._chosen(each) for each in found]

        return look

    def _second_look(self) -> SecondLook | None:
        if not self._recover:
            return None
        return SecondLook(see=lambda frame, place: see(self._engine, frame, place))

    def describe(self) -> dict[str, Any]:
        settings: dict[str, Any] = {"track": self._track, "smooth": self._smooth}
        return {
            "name": "batched",
            "version": PIPELINE,
            "engine": described(self._device, self._precision),
            "models": {name: model.sha256 for name, model in self._models.items()},
            "settings": settings | ({"second_look": asdict(Trust())} if self._recover else {}),
        }


class _Batches:
    """A track that waits until it has `size` frames."""

    def __init__(self, look: Any, size: int):
        self._look, self._size = look, size
        self._waiting: list[UInt8[np.ndarray, "H W 3"]] = []

    def add(self, frame: UInt8[np.ndarray, "H W 3"]) -> Sequence[Landmarks]:
        self._waiting.append(frame)
        return self.finish() if len(self._waiting) == self._size else ()

    def finish(self) -> Sequence[Landmarks]:
        frames, self._waiting = self._waiting, []
        return self._look(frames) if frames else ()


def chosen_device(device: str, precision: str = "float32", compile: bool = False) -> str:
    """`cpu` or `cuda`.

    Raises:
        InputError: `cuda` is wanted, and torch sees none; or a CPU cannot work in this precision,
            or is to be compiled for.
    """
    there = device != "cpu" and _sees_gpu(device)
    if device == "cuda" and not there:
        raise InputError("--device cuda: expected a GPU, but torch sees none; leave --device out")
    if not there and precision != "float32":
        raise InputError(
            f"--precision {precision}: expected a GPU, and this is a CPU, where the networks "
            "run in float32; leave --precision out"
        )
    if not there and compile:
        raise InputError(
            "--compile: expected a GPU, and this is a CPU, where LiteRT runs the networks as they "
            "are; leave --compile out"
        )
    return "cuda" if there else "cpu"


def _sees_gpu(device: str) -> bool:
    if device == "auto" and find_library("cuda") is None:
        return False  # without the seconds that torch takes to load
    try:
        import torch
    except ModuleNotFoundError:
        return False
    return torch.cuda.is_available()


def described(device: str, precision: str) -> dict[str, str]:
    """What a store records of the engine on a device."""
    name, package = ("litert", "ai-edge-litert") if device == "cpu" else ("torch", "torch")
    return {"engine": name, "version": version(package), "precision": precision}


def make_engine(
    models: Mapping[str, Model], device: str, precision: str = "float32", compile: bool = False
) -> LocalEngine:
    """LiteRT on a CPU, torch on a GPU."""
    if device == "cpu":
        from poseprep.landmarkers.batched.litert_engine import LiteRTEngine

        return LiteRTEngine(models)
    from poseprep.landmarkers.batched.torch_engine import TorchEngine

    return TorchEngine(models, device, precision, _CROPS_AT_ONCE, compile)
