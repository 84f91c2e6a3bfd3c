"""What is written for a GPU, on one that is pretended: all of it is there, and nothing waits."""

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from pretended_gpu import Watched, pretended_gpu

from poseprep.landmarkers.batched.engine import LENSES
from poseprep.landmarkers.batched.models import read_models
from poseprep.landmarkers.batched.torch_crops import Frames
from poseprep.landmarkers.batched.torch_engine import PRECISIONS, TorchEngine
from poseprep.skeleton import HOLISTIC, SIGNING
from sslmodel.chance import ClipChance
from sslmodel.config import PretrainConfig
from sslmodel.objectives import OBJECTIVES
from sslmodel.pretrain import _Sums, build
from sslmodel.views import make_views

CLIPS = 16
Counts = tuple[Counter[str], Counter[str]]  # of kernels, and of crossings


@pytest.fixture(scope="module")
def apart():
    """Runs a function in a process of its own, where the pretended device stays."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda act, *given: pool.submit(told, act, *given).result()


def told(act, *given):
    """What `act` comes to; its error as text, since torch's own cannot be sent."""
    try:
        return act(*given)
    except Exception as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from None


def trained_a_step(objective: str) -> Counts:
    """A step as `pretrain` makes it, in float32, without the optimiser: those two are torch's."""
    skeleton = HOLISTIC.select(SIGNING)
    config = replace(PretrainConfig(), objective=objective)
    points = torch.randn(CLIPS, config.input.frames, len(skeleton), 3)
    seen = torch.ones(points.shape[:3])
    learner = build(config, skeleton, points, seen)
    with pretended_gpu() as gpu:
        learner = learner.to(gpu)
        points, seen = points.to(gpu), seen.to(gpu)
        mirror = torch.as_tensor(np.asarray(skeleton.mirror), device=gpu)
        clips, sums = torch.arange(CLIPS, device=gpu), _Sums(1, gpu)
        original = learner.objective.reads_original
        with Watched() as watched:
            chances = [ClipChance(config.seed, 1, clips, view) for view in (1, 2)]
            p, s = points[clips], seen[clips]
            branches = make_views(p, s, config.views, skeleton.parts, mirror, chances, original)
            loss, terms = learner(branches, (CLIPS,))
            loss.backward()
            learner.follow(0.5)
            sums.add(0, loss, terms)
    assert loss.device.type == gpu.type
    return watched.kernels, watched.crossings


def looked(network: str, precision: str) -> Counts:
    """A network's look at one batch of places, up to where its numbers are wanted."""
    with pretended_gpu() as gpu:
        engine = TorchEngine({network: read_models(face=True)[network]}, gpu, precision)
        sizes = torch.tensor([(48, 64), (48, 64)], device=gpu)
        pixels = torch.zeros(2 * 48 * 64, 3, dtype=torch.uint8, device=gpu)
        frames = Frames(pixels, torch.tensor([0, 48 * 64], device=gpu), *sizes.unbind(1))
        which, places = np.zeros(32, np.int64), np.full((32, 5), 4, np.float32)
        with Watched() as watched:
            engine._outputs(network, frames, which, places)
    return watched.kernels, watched.crossings


def waiting() -> None:
    """A number wanted of the device."""
    with pretended_gpu() as gpu:
        float(torch.ones(2, device=gpu).sum())


def mixing() -> None:
    """A sum of what lies on two devices."""
    with pretended_gpu() as gpu:
        torch.ones(2, device=gpu) + torch.ones(2)


def fetching() -> Counts:
    """A copy to and fro."""
    with pretended_gpu() as gpu, Watched() as watched:
        torch.ones(2, device=gpu).cpu().to(gpu)
    return watched.kernels, watched.crossings


def test_the_pretence_tells_of_waits_and_of_what_lies_elsewhere(apart):
    with pytest.raises(RuntimeError, match="DataDependent.*_local_scalar_dense"):
        apart(waiting)
    with pytest.raises(RuntimeError, match="DeviceMismatch.*same device"):
        apart(mixing)
    kernels, crossings = apart(fetching)
    assert crossings == {"aten._to_copy.default": 2}
    assert kernels["aten.ones.default"] == 1


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_training_step_stays_on_the_device_and_never_waits_for_it(apart, objective):
    kernels, crossings = apart(trained_a_step, objective)
    assert not crossings
    # What a GPU is given in a step bounds it where clips are few (docs/performance.md).
    assert kernels.total() < 1500


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("network", LENSES)
def test_a_network_is_sent_two_arrays_and_then_stays_on_the_device(apart, network, precision):
    kernels, crossings = apart(looked, network, precision)
    assert crossings == {"aten._to_copy.default": 2}  # whose frame each place is in, and where
    assert kernels["aten.convolution.default"] > 30
