"""How fast training is, beside graph encoders as people have them today: `slr bench train`."""

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from poseprep.errors import InputError
from poseprep.machine import has_compiler
from poseprep.options import check
from poseprep.skeleton import HOLISTIC, SIGNING, Skeleton
from sslmodel.chance import ClipChance
from sslmodel.config import PretrainConfig
from sslmodel.cost import parameters
from sslmodel.device import fabric_on, imitates_bf16, on_gpu, training_fabric
from sslmodel.learner import Learner
from sslmodel.pretrain import build, optimizer_of
from sslmodel.views import make_views

# What a step's time goes into, in order.
STAGES = ("views", "encoder forward", "objective", "encoder backward", "optimiser")
SKELETONS = {"hand": HOLISTIC.names[HOLISTIC.parts["right_hand"]], "signing": SIGNING}
REFERENCE = "st-gcn"
_FEWEST_STEPS = 2


@dataclass(frozen=True)
class Way:
    """One row: what is trained, and how it is computed. `narrower` divides the features."""

    name: str
    backbone: str
    precision: str = "32"
    compile: bool = False
    narrower: int = 1


WAYS = (
    Way("parts-apart", "parts-apart"),
    Way("parts-apart, bf16", "parts-apart", precision="bf16"),
    Way("parts-apart, compiled", "parts-apart", compile=True),
    Way(REFERENCE, "st-gcn"),
    Way("st-gcn, compiled", "st-gcn", compile=True),
    Way("st-gcn, a quarter as wide", "st-gcn", narrower=4),
    Way("gcn (PyG message passing)", "gcn"),
)


@dataclass(frozen=True)
class Speed:
    """What one way reached: the median over rounds.

    Attributes:
        stages: milliseconds of each of STAGES in one step.
        gflop: 10⁹ operations of one step, products only.
        peak: GFLOP/s that this machine reaches at best in this precision, measured beside.
        memory_mib: at most, of the process (of the GPU where there is one).
    """

    way: Way
    parameters: int
    batch: int
    stages: tuple[float, ...]
    gflop: float
    peak: float
    memory_mib: float

    @property
    def clips_a_second(self) -> float:
        """Clips whose three branches went through a whole step."""
        return 1e3 * self.batch / sum(self.stages)

    @property
    def gflops(self) -> float:
        """GFLOP/s over the whole step."""
        return 1e3 * self.gflop / sum(self.stages)

    @property
    def encoder_share(self) -> float:
        """Share of a step's time in the encoder's forward and backward."""
        return (self.stages[1] + self.stages[3]) / sum(self.stages)


def bench_train(
    config: PretrainConfig,
    points: str,
    threads: int,
    seconds: float,
    rounds: int,
    say: Callable[[str], None],
) -> list[Speed]:
    """Train every way on random keypoints for a moment, each in a process of its own.

    Rounds go through all ways in turn, so that a machine that others use too slows all alike.

    Args:
        config: sizes, batch, objective and accelerator; precision and compile are the ways' own.
        points: one of SKELETONS.
        threads: that compute, on a CPU.
        seconds: of steps that are measured a round; at least two steps are.

    Raises:
        InputError: a setting is not allowed.
    """
    check(config)
    if points not in SKELETONS:
        raise InputError(f"expected one of {', '.join(SKELETONS)}, found {points}")
    ways = list(WAYS)
    if not has_compiler(gpu=on_gpu(config.accelerator)):
        say("no compiler here: nothing is measured compiled")
        ways = [way for way in ways if not way.compile]
    if imitates_bf16(fabric_on(config.accelerator).device):
        say("PyTorch imitates bf16 on this CPU: nothing is measured in it")
        ways = [way for way in ways if way.precision != "bf16"]
    measured: dict[Way, list[Speed]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            # A process each: memory is its own, and what one compiles does not speed up the next.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                measuring = pool.submit(_measure, way, config, points, threads, seconds)
                try:
                    speed = measuring.result()
                except RuntimeError as error:  # memory ran out, the process was killed, no compiler
                    say(f"{way.name}: left out; {str(error).splitlines()[0]}")
                    continue
            say(f"{way.name}: {speed.clips_a_second:,.0f} clips/s")
            measured[way].append(speed)
    return [_median(speeds) for speeds in measured.values() if speeds]


def _median(speeds: list[Speed]) -> Speed:
    stages = np.median([speed.stages for speed in speeds], axis=0)
    return replace(
        speeds[0],
        stages=tuple(map(float, stages)),
        peak=max(speed.peak for speed in speeds),
        memory_mib=max(speed.memory_mib for speed in speeds),
    )


def _measure(way: Way, config: PretrainConfig, points: str, threads: int, seconds: float) -> Speed:
    """One way, in this process."""
    torch.set_num_threads(threads)
    config = replace(
        config,
        precision=way.precision,
        encoder=replace(
            config.encoder,
            backbone=way.backbone,
            features=config.encoder.features // way.narrower,
        ),
    )
    skeleton = HOLISTIC.select(SKELETONS[points])
    fabric = training_fabric(config.accelerator, 1, 1, way.precision)
    device = fabric.device
    generator = torch.Generator().manual_seed(0)
    size = (config.batch, config.input.frames, len(skeleton))
    keypoints = torch.randn(*size, 3, generator=generator).to(device)
    seen = (torch.rand(size, generator=generator) > 0.05).float().to(device)
    steps = _Steps(build(config, skeleton, keypoints, seen), keypoints, seen, config, skeleton)
    with FlopCounterMode(display=False) as counter:
        steps.run()
    if way.compile:
        steps.learner.encoder.compile()
    for _ in range(_FEWEST_STEPS):  # to warm up
        steps.run()
    began = time.perf_counter()
    taken: list[list[float]] = []
    while len(taken) < _FEWEST_STEPS or time.perf_counter() - began < seconds:
        taken.append(steps.run())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    if device.type == "cuda":
        memory = torch.cuda.max_memory_allocated(device) / 2**20
    return Speed(
        way,
        parameters(steps.learner.encoder),
        config.batch,
        tuple(1e3 * np.median(taken, axis=0)),
        counter.get_total_flops() / 1e9,
        _peak(device, way.precision),
        memory,
    )


class _Steps:
    """Optimiser steps as `pretrain` makes them, with a look at the clock between the stages."""

    def __init__(
        self,
        learner: Learner,
        points: Tensor,
        seen: Tensor,
        config: PretrainConfig,
        skeleton: Skeleton,
    ):
        self.learner, self.points, self.seen = learner, points, seen
        self.config, self.parts = config, skeleton.parts
        self.mirror = torch.as_tensor(np.asarray(skeleton.mirror), device=points.device)
        self.clips = torch.arange(len(points), device=points.device)
        self.optimizer = optimizer_of(learner, config)
        self.done = 0

    def run(self) -> list[float]:
        """One step; seconds of each of STAGES."""
        device, config = self.points.device, self.config
        clock = [self._now()]
        chances = [ClipChance(config.seed, self.done, self.clips, view) for view in (1, 2)]
        original = self.learner.objective.reads_original
        views = make_views(
            self.points, self.seen, config.views, self.parts, self.mirror, chances, original
        )
        clock.append(self._now())
        slow = None
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            branches = Learner.embed(self.learner.encoder, views)
            if self.learner.slow is not None:
                with torch.no_grad():
                    slow = Learner.embed(self.learner.slow, views)
        clock.append(self._now())
        # Cut here, so that the two backward passes can be told apart. In float32, as in training.
        cut = [branch.detach().requires_grad_() for branch in branches]
        loss, _ = self.learner.objective(cut, slow)
        loss.backward()
        clock.append(self._now())
        torch.autograd.backward(branches, [branch.grad for branch in cut])
        clock.append(self._now())
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.learner.follow(0.0)
        clock.append(self._now())
        self.done += 1
        return np.diff(clock).tolist()

    def _now(self) -> float:
        if self.points.device.type == "cuda":
            torch.cuda.synchronize(self.points.device)
        return time.perf_counter()


def _peak(device: torch.device, precision: str) -> float:
    """GFLOP/s of the best of a large product and a large convolution: what can be had here."""
    dtype = {"32": torch.float32, "bf16": torch.bfloat16}[precision]
    n = 8192 if device.type == "cuda" else 2048
    a = torch.randn(n, n, device=device, dtype=dtype)
    x = torch.randn(n // 16, 256, 1, 32, device=device, dtype=dtype)
    x = x.to(memory_format=torch.channels_last)
    kernel = torch.randn(256, 256, 1, 5, device=device, dtype=dtype)
    ways: list[tuple[Callable[[], Tensor], float]] = [
        (lambda: a @ a, 2 * n**3),
        (
            lambda: torch.nn.functional.conv2d(x, kernel, padding=(0, 2)),
            2 * x.numel() * kernel[:, 0].numel(),
        ),
    ]
    best = 0.0
    for act, operations in ways:
        for _ in range(5):
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            began = time.perf_counter()
            act()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best = max(best, operations / (time.perf_counter() - began) / 1e9)
    return best


def bench_table(speeds: list[Speed]) -> str:
    """Markdown: a row a way, and how each compares to the plain ST-GCN."""
    reference = next((speed for speed in speeds if speed.way.name == REFERENCE), None)
    head = [
        *("", "clips/s", f"× {REFERENCE}", "GFLOP/s", "of peak", "encoder", "memory MiB"),
        *("parameters", *(f"{stage} ms" for stage in STAGES)),
    ]
    rows = [
        [
            speed.way.name,
            f"{speed.clips_a_second:,.0f}",
            f"{speed.clips_a_second / reference.clips_a_second:.2f}×" if reference else "–",
            f"{speed.gflops:,.0f}",
            f"{100 * speed.gflops / speed.peak:.0f} % of {speed.peak:,.0f}",
            f"{100 * speed.encoder_share:.0f} %",
            f"{speed.memory_mib:,.0f}",
            f"{speed.parameters:,}",
            *(f"{stage:,.1f}" for stage in speed.stages),
        ]
        for speed in speeds
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))
