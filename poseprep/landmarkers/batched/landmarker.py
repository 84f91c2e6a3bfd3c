"""The landmarker `batched`: MediaPipe's networks, run by ourselves, several frames at a time."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from poseprep.errors import InputError
from poseprep.landmarkers import Landmarks, Track
from poseprep.landmarkers.batched import PIPELINE
from poseprep.landmarkers.batched.engine import Engine, Guarded, LocalEngine, engine_failures
from poseprep.landmarkers.batched.hands import see
from poseprep.landmarkers.batched.holistic import landmark
from poseprep.landmarkers.batched.models import Model, read_models
from poseprep.landmarkers.batched.shared import SharedEngine, sharing
from poseprep.landmarkers.batched.smoothing import BodySmoother
from poseprep.landmarkers.batched.tracking import Tracker
from poseprep.landmarkers.batched.view import View
from poseprep.landmarkers.chosen_points import ChosenPoints
from poseprep.landmarkers.hand_network import Place, Sight
from poseprep.landmarkers.second_look import SecondLook, Trust
from poseprep.machine import check_compiler

# On a GPU. Fewer may leave it idle, and with more the last ones are mostly padding; not measured.
_CROPS_AT_ONCE = 32
_FRAMES_ON_CPU = 8
# Where the second look tries: see `SecondLook`.
_MOST_PLACES = 8

Frames = list[UInt8[np.ndarray, "_ _ 3"]]


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
        batch: frames looked at together; on a CPU at most 8, since more gain nothing there, and
            nothing would be heard of them for long.
        precision: of the networks on a GPU.
        model: a `.task` bundle with networks to take instead of MediaPipe's own; empty is none.
        compile: compile the networks for a GPU.
        shared: the address of an engine that other processes use, too; see `shared`.
        elsewhere: other machines do the work; a GPU that is asked for is theirs.

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
        elsewhere: bool = False,
    ):
        self._chosen = ChosenPoints(face)
        self.skeleton, self._face = self._chosen.skeleton, self._chosen.face
        self._recover, self._track, self._smooth = recover, track, smooth
        self._models = read_models(self._face, Path(model) if model else None)
        # An engine that is shared is that of the GPU: no need to load torch and look for one.
        known = shared or (elsewhere and device == "cuda")
        self._device = "cuda" if known else chosen_device(device, precision, compile)
        self._precision = precision
        self._batch = batch if self._device == "cuda" else min(batch, _FRAMES_ON_CPU)
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
        once = 1 if self._track else self._batch
        tracker = Tracker(self._face, self._smooth) if self._track else None
        smoother = BodySmoother() if self._smooth else None
        # On a GPU a look takes as long for all places as for one.
        together = _MOST_PLACES if self._device == "cuda" else 1
        again = SecondLook(together=together) if self._recover else None

        def look(frames: Frames) -> list[Landmarks]:
            view = View.of(self._engine, frames)
            looks = [tracker(view)] if tracker else landmark(view, self._face, smoother)
            found = [look.landmarks() for look in looks]
            if again:
                found = [
                    again(frame, each, partial(_see, view, i))
                    for i, (frame, each) in enumerate(zip(frames, found, strict=True))
                ]
            return [self._chosen(each) for each in found]

        _ = self._engine  # what is wrong with it is no video's fault: it is told before the first
        yield _Batches(look, once)

    def describe(self) -> dict[str, Any]:
        of_bundle = [name for name, model in self._models.items() if model.of_bundle]
        settings: dict[str, Any] = {"track": self._track, "smooth": self._smooth}
        return {
            "name": "batched",
            "version": PIPELINE,
            "engine": described(self._device, self._precision, self._compile),
            "models": {name: model.sha256 for name, model in self._models.items()},
            **({"of_bundle": of_bundle} if of_bundle else {}),
            "settings": settings | ({"second_look": asdict(Trust())} if self._recover else {}),
        }


def _see(
    view: View, number: int, frame: UInt8[np.ndarray, "H W 3"], places: Sequence[Place]
) -> list[Sight | None]:
    """For the second look: the frame lies in the engine already."""
    return see(view, number, places)


class _Batches:
    """A track that waits until it has `size` frames."""

    def __init__(self, look: Callable[[Frames], list[Landmarks]], size: int):
        self._look, self._size = look, size
        self._waiting: Frames = []

    def add(self, frame: UInt8[np.ndarray, "H W 3"]) -> Sequence[Landmarks]:
        self._waiting.append(frame)
        return self.finish() if len(self._waiting) == self._size else ()

    def finish(self) -> Sequence[Landmarks]:
        frames, self._waiting = self._waiting, []
        return self._look(frames) if frames else ()


def chosen_device(device: str, precision: str = "float32", compile: bool = False) -> str:
    """`cpu` or `cuda`.

    Raises:
        InputError: `cuda` is wanted, and torch sees none; a CPU cannot work in this precision,
            or is to be compiled for; or there is no compiler.
    """
    there = device != "cpu" and _sees_gpu(device)
    if device == "cuda" and not there:
        raise InputError("--device cuda: expected a GPU, but torch sees none; leave --device out")
    if not there and precision != "float32":
        raise InputError(
            f"--precision {precision}: expected a GPU, and this is a CPU, where the networks "
            "run in float32; leave --precision out, or with --dask give --device cuda"
        )
    if not there and compile:
        raise InputError(
            "--compile: expected a GPU, and this is a CPU, where LiteRT runs the networks as they "
            "are; leave --compile out, or with --dask give --device cuda"
        )
    if compile:
        check_compiler(gpu=True)
    return "cuda" if there else "cpu"


def _sees_gpu(device: str) -> bool:
    if device == "auto":
        try:  # without the seconds that torch takes to load
            ctypes.CDLL("libcuda.so.1")
        except OSError:
            return False
    try:
        import torch
    except (ImportError, OSError):  # none, or one whose libraries are lacking
        return False
    return torch.cuda.is_available()


def described(device: str, precision: str, compile: bool = False) -> dict[str, Any]:
    """What a store records of the engine on a device.

    Compiled for half precision, fewer numbers are rounded on the way: points differ by more than
    their last digits.
    """
    compiled = {"compiled": True} if compile and precision != "float32" else {}
    name, package = ("litert", "ai-edge-litert") if device == "cpu" else ("torch", "torch")
    try:
        return {"engine": name, "version": version(package), "precision": precision, **compiled}
    except PackageNotFoundError as error:
        raise InputError(
            f"--device {device}: the store records {package}'s version, and it is not installed "
            "here; install the build that the machines with GPUs have"
        ) from error


def make_engine(
    models: Mapping[str, Model], device: str, precision: str = "float32", compile: bool = False
) -> LocalEngine:
    """LiteRT on a CPU, torch on a GPU."""
    with engine_failures():
        if device == "cpu":
            from poseprep.landmarkers.batched.litert_engine import LiteRTEngine

            return Guarded(LiteRTEngine(models))
        from poseprep.landmarkers.batched.torch_engine import TorchEngine

        return Guarded(TorchEngine(models, device, precision, _CROPS_AT_ONCE, compile))
