"""`slr bench networks`: where the batched landmarker's time goes, beside the machine's peak."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped, UInt8

from poseprep.errors import InputError, VideoError
from poseprep.find import find_videos
from poseprep.landmarkers.batched import processor
from poseprep.landmarkers.batched.cost import multiplications
from poseprep.landmarkers.batched.engine import LENSES, Engine, Places
from poseprep.landmarkers.batched.holistic import landmark
from poseprep.landmarkers.batched.landmarker import chosen_device, make_engine
from poseprep.landmarkers.batched.models import read_models
from poseprep.landmarkers.batched.network import read_network
from poseprep.landmarkers.batched.tracking import Tracker
from poseprep.landmarkers.batched.view import View
from poseprep.machine import machine
from poseprep.options import check
from poseprep.settings import ExtractOptions, ExtractSettings, check_read
from poseprep.video import VideoReader

# The sides of the matrices whose product shows what a processor reaches at best, and how often.
_CPU_SIDE, _GPU_SIDE, _PRODUCTS = 1024, 8192, 8
_COPY_BYTES = 1 << 28


@dataclass(frozen=True)
class Step:
    """A part of the way from a video to landmarks.

    Attributes:
        ms: wall time for a frame.
        crops: looked at for a frame; 0 where nothing is looked at.
        gflop: 10⁹ operations of one crop, in products.
        mb: 10⁶ bytes of a frame that go to a GPU; 0 where nothing goes there.
    """

    name: str
    ms: float
    crops: float = 0.0
    gflop: float = 0.0
    mb: float = 0.0

    @property
    def gflops(self) -> float:
        """10⁹ operations a second."""
        return self.crops * self.gflop / self.ms * 1000 if self.ms else 0.0

    @property
    def gbs(self) -> float:
        """10⁹ bytes a second."""
        return self.mb / self.ms if self.ms else 0.0


@dataclass(frozen=True)
class Spent:
    """The table, and what it was measured on.

    Attributes:
        peak: GFLOP/s of a large product of matrices in the same precision, measured beside.
        copy: GB/s of one large copy to the device.
    """

    steps: list[Step]
    frames: int
    peak: float
    engine: str
    machine: str
    copy: float = 0.0

    @property
    def ms(self) -> float:
        """Of a frame, all in all."""
        return sum(step.ms for step in self.steps)


class _Timed:
    """An engine with a stop watch. A look ends with numbers on the CPU, so a GPU is waited for."""

    def __init__(self, engine: Engine, device: str):
        self._engine, self._device = engine, device
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.crops: Counter[str] = Counter()

    def load(self, frames: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> Any:
        began = time.perf_counter()
        loaded = self._engine.load(frames)
        processor.wait(self._device)
        self.seconds["transfer"] += time.perf_counter() - began
        return loaded

    def look(
        self, network: str, frames: Any, which: Int[np.ndarray, " K"], places: Places
    ) -> list[Shaped[np.ndarray, "K ..."]]:
        began = time.perf_counter()
        found = self._engine.look(network, frames, which, places)
        self.seconds[network] += time.perf_counter() - began
        self.crops[network] += len(which)
        return found


def bench_networks(
    videos: Path,
    frames: int = 128,
    device: str = "auto",
    batch: int = 16,
    precision: str = "float32",
    compile: bool = False,
    track: bool = False,
) -> Spent:
    """Where the time goes for the first frames of some videos, in one process.

    Args:
        frames: at most so many, twice: the first time does not count.
        track: follow a person, one frame after the other.

    Raises:
        InputError: no frame can be read, there is no such device or no torch, or an option is not
            allowed.
    """
    settings = ExtractSettings(landmarker="batched", track=track, precision=precision)
    options = ExtractOptions(device=device, batch=batch, compile=compile)
    check(settings)
    check(options)
    check_read(settings, options)
    device = chosen_device(device, precision, compile)
    processor.check_torch()
    began = time.perf_counter()
    pictures = list(_read(videos, frames))
    decode = time.perf_counter() - began
    if not pictures:
        raise InputError(f"{videos}: not a frame could be read; give whole videos")
    models = read_models(face=True)
    engine = _Timed(make_engine(models, device, precision, compile), device)
    for _ in range(2):
        engine.seconds.clear()
        engine.crops.clear()
        began = time.perf_counter()
        if track:
            tracker = Tracker(face=True, smooth=True)
            for picture in pictures:
                tracker(View.of(engine, [picture]))
        else:
            for start in range(0, len(pictures), batch):
                landmark(View.of(engine, pictures[start : start + batch]), face=True)
        whole = time.perf_counter() - began
    count = len(pictures)
    steps = [Step("decode", 1000 * decode / count)]
    mb = sum(picture.nbytes for picture in pictures) / 1e6 / count if device == "cuda" else 0.0
    steps.append(Step("transfer", 1000 * engine.seconds["transfer"] / count, mb=mb))
    for name in LENSES:
        model = models[name]
        cost = 2 * multiplications(read_network(model.data, model.outputs, model.source)) / 1e9
        ms, crops = 1000 * engine.seconds[name] / count, engine.crops[name] / count
        steps.append(Step(f"{name} (crop and network)", ms, crops, cost))
    geometry = whole - sum(engine.seconds.values())
    steps.append(Step("geometry between them", 1000 * geometry / count))
    said = f"{'litert' if device == 'cpu' else 'torch'} on {device}, {precision}"
    copy = copy_rate(device) if device == "cuda" else 0.0
    return Spent(steps, count, peak(device, precision), said, machine(), copy)


def _read(videos: Path, most: int) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """The first frames; a video that cannot be read has none, and times do not matter."""
    for video in find_videos(videos, fps=25.0).videos:
        with suppress(VideoError):
            for _, frame in VideoReader(video):
                if most == 0:
                    return
                most -= 1
                yield frame


def peak(device: str, precision: str) -> float:
    """GFLOP/s of a product of two large matrices: on a CPU one core's, as a network has one."""
    side = _CPU_SIDE if device == "cpu" else _GPU_SIDE
    with processor.one_thread():
        multiply = processor.product(side, device, precision)
        seconds = min(_seconds(multiply) for _ in range(_PRODUCTS))
    return float(2 * side**3 / seconds / 1e9)


def copy_rate(device: str) -> float:
    """GB/s of a large copy from the CPU's memory, page-locked for a GPU, to the device's."""
    copy = processor.copying(_COPY_BYTES, device)
    return _COPY_BYTES / min(_seconds(copy) for _ in range(_PRODUCTS)) / 1e9


def _seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def table(spent: Spent) -> str:
    """`slr bench networks`, as it is printed."""
    wide = 2 + max(len(step.name) for step in spent.steps)
    lines = [
        f"{spent.frames} frames, one process, {spent.engine}; {spent.machine}",
        "",
        f"{'':<{wide}}{'ms/frame':>10}{'of all':>8}{'crops/frame':>13}{'GFLOP/s':>10}"
        f"{'of peak':>9}",
    ]
    for step in spent.steps:
        line = f"{step.name:<{wide}}{step.ms:10.2f}{step.ms / spent.ms:8.1%}"
        if step.gflop:
            line += f"{step.crops:13.2f}{step.gflops:10.1f}{step.gflops / spent.peak:9.0%}"
        if step.mb:
            line += f"{'':13}{step.gbs:5.1f} GB/s{step.gbs / spent.copy:9.0%}"
        lines.append(line)
    lines += [
        f"{'together':<{wide}}{spent.ms:10.2f}",
        "",
        f"peak: {spent.peak:,.0f} GFLOP/s in a product of large matrices, measured beside",
        *([f"copying to the GPU: {spent.copy:,.1f} GB/s at best"] if spent.copy else []),
    ]
    return "\n".join(lines)
