"""pretrain(): keypoints in, a run folder out. Labels are used for the split only."""

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from lightning_fabric import Fabric
from torch import Tensor, nn

from poseprep.errors import InputError
from poseprep.skeleton import Skeleton
from sslmodel.checkpoint import save_encoder
from sslmodel.collapse import collapse_advice, effective_rank, feature_spread, has_collapsed
from sslmodel.config import PretrainConfig
from sslmodel.dataset import Dataset, common_skeleton, load
from sslmodel.encoder import Encoder
from sslmodel.objectives import OBJECTIVES
from sslmodel.plots import plot_curve
from sslmodel.runlog import Record, RunLog
from sslmodel.runs import versions, write_run_head
from sslmodel.split import Split, make_split
from sslmodel.views import make_views

# Enough to tell whether an embedding is alive; the rank's cost grows with their square.
_WATCHED_WINDOWS = 2048


@dataclass(frozen=True)
class Pretrained:
    """What a run came to. warnings: what the user must know, such as a collapse."""

    folder: Path
    clips: int
    epochs: int
    seconds: float
    loss: float
    spread: float
    rank: float
    split: str
    collapsed: bool
    warnings: list[str]


def pretrain(
    config: PretrainConfig, stores: Sequence[Path], out: Path, progress: bool = True
) -> Pretrained:
    """Train an encoder on the train part of these stores and write the run to `out`.

    The encoder's files are written at the very end: a run that has them is finished.
    The same stores, config and machine give the same weights on a CPU.

    Raises:
        InputError: `out` holds something, a store is unfit, or there is nothing to learn from.
    """
    began = time.monotonic()
    _check(config, out)
    skeleton = common_skeleton(stores)
    datasets = [load(path, skeleton, config.input) for path in stores]
    splits = [make_split(d.signs, d.signers, d.splits, config.split_seed) for d in datasets]
    points, seen, clips, told = training_windows(datasets, splits, config.all_clips)
    out.mkdir(parents=True, exist_ok=True)
    write_run_head(out, config, datasets, splits)

    fabric = Fabric(accelerator=config.accelerator, devices=1)
    points, seen = fabric.to_device(points), fabric.to_device(seen)  # all of it, once
    encoder, objective = build(config, skeleton, points, seen)
    optimizer = torch.optim.AdamW(
        [*encoder.parameters(), *objective.parameters()],
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    # In an epoch; no batch of one, which has no variance.
    steps = min(math.ceil(len(points) / config.batch), len(points) // 2)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, partial(warmup_then_cosine, total=config.epochs * steps, warmup=config.warmup)
    )
    embed, stepper = fabric.setup(encoder, optimizer)
    criterion = fabric.setup_module(objective)
    generator = torch.Generator(device=fabric.device).manual_seed(config.seed)
    mirror = torch.as_tensor(np.asarray(skeleton.mirror), device=fabric.device)

    with RunLog(out, config.epochs, progress) as log:
        spread, rank = alive(encoder, points, seen)
        log.write(Record(0, spread, rank, seconds=round(time.monotonic() - began, 3)))
        for epoch in range(1, config.epochs + 1):
            sums: dict[str, float] = defaultdict(float)
            for chosen in batches(len(points), steps, generator):
                p, s = points[chosen], seen[chosen]  # (B, T, V, 2), (B, T, V)
                (p1, s1), (p2, s2) = make_views(
                    p, s, config.views, skeleton.parts, mirror, generator
                )
                # The three branches share every weight, so they go through together.
                h = embed(torch.cat([p, p1, p2]), torch.cat([s, s1, s2]))  # (3B, D)
                loss, terms = criterion(*h.chunk(3))
                stepper.zero_grad()
                fabric.backward(loss)
                stepper.step()
                schedule.step()
                for name, value in {"loss": loss, **terms}.items():
                    sums[name] += float(value.detach())
            means = {name: total / steps for name, total in sums.items()}
            spread, rank = alive(encoder, points, seen)
            rate, elapsed = float(schedule.get_last_lr()[0]), round(time.monotonic() - began, 3)
            log.write(Record(epoch, spread, rank, means.pop("loss"), means, rate, elapsed))

    collapsed = has_collapsed(spread, rank)
    if collapsed:
        told.append(collapse_advice(config.objective, spread, rank))
    title = f"{config.objective} on {clips} clips without labels, seed {config.seed}"
    plot_curve(log.records, out / "curve.png", title)
    about = {
        "objective": config.objective,
        "stores": [dataset.content_hash for dataset in datasets],
        "clips": clips,
        "seed": config.seed,
        "epochs": config.epochs,
        "collapsed": collapsed,
        "versions": versions(),
    }
    save_encoder(out, encoder, config.input, about)
    return Pretrained(
        folder=out,
        clips=clips,
        epochs=config.epochs,
        seconds=time.monotonic() - began,
        loss=log.records[-1].loss or 0.0,
        spread=spread,
        rank=rank,
        split="; ".join(dict.fromkeys(split.how for split in splits)),
        collapsed=collapsed,
        warnings=told,
    )


def build(
    config: PretrainConfig,
    skeleton: Skeleton,
    points: Float[Tensor, "W T V C"],
    seen: Float[Tensor, "W T V"],
) -> tuple[Encoder, nn.Module]:
    """A fresh encoder and objective: weights by the seed, the input's scale by the clips."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        encoder = Encoder(skeleton, config.encoder)
        objective = OBJECTIVES[config.objective](config.encoder.features, config)
    encoder.to(points.device).fit_input(points, seen)
    return encoder, objective


def training_windows(
    datasets: Sequence[Dataset], splits: Sequence[Split], all_clips: bool
) -> tuple[Float[Tensor, "W T V C"], Float[Tensor, "W T V"], int, list[str]]:
    """What is learned from: windows, how many clips they are of, and what to tell the user."""
    points, seen, clips, told = [], [], 0, []
    for dataset, split in zip(datasets, splits, strict=True):
        wanted = np.ones(len(dataset), bool) if all_clips else split.is_in("train")
        empty = int((wanted & ~dataset.person).sum())
        if empty:
            told.append(f"{dataset.path}: {empty} clips show no person and teach nothing")
        clips += int((wanted & dataset.person).sum())
        rows = dataset.windows_of(wanted)
        # A window of a long clip may be empty though the clip is not.
        rows = rows[dataset.seen[rows].flatten(1).any(dim=1)]
        points.append(dataset.points[rows])
        seen.append(dataset.seen[rows])
    if clips < 2:
        raise InputError(
            f"expected at least 2 clips with a person in the train part, found {clips}; "
            "extract more videos, or pretrain with `--all-clips`"
        )
    return torch.cat(points), torch.cat(seen), clips, told


def warmup_then_cosine(step: int, total: int, warmup: float) -> float:
    """The learning rate's share of its peak at a step: a straight rise, then half a cosine."""
    rising = max(1, round(warmup * total))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total - rising)))


def batches(count: int, steps: int, generator: torch.Generator) -> Iterator[Int[Tensor, " B"]]:
    """One epoch in a new order, every clip once. Batches are as equal as can be.

    A small last batch would have a noisy variance and covariance, and a single clip has none.
    """
    order = torch.randperm(count, generator=generator, device=generator.device)
    return iter(order.tensor_split(steps))


@torch.no_grad()
def alive(
    encoder: Encoder, points: Float[Tensor, "W T V C"], seen: Float[Tensor, "W T V"]
) -> tuple[float, float]:
    """Feature spread and effective rank over training windows as they are, without views."""
    pairs = zip(
        points[:_WATCHED_WINDOWS].split(256), seen[:_WATCHED_WINDOWS].split(256), strict=True
    )
    embeddings = torch.cat([encoder(p, s) for p, s in pairs])
    return feature_spread(embeddings), effective_rank(embeddings)


def _check(config: PretrainConfig, out: Path) -> None:
    if config.objective not in OBJECTIVES:
        raise InputError(
            f"objective: expected one of {', '.join(OBJECTIVES)}, found {config.objective!r}"
        )
    if config.epochs < 1 or config.batch < 2:
        raise InputError(
            f"expected at least 1 epoch and a batch of at least 2, found {config.epochs} epochs "
            f"and a batch of {config.batch}"
        )
    if config.encoder.features % config.encoder.time_bins:
        raise InputError(
            f"expected features to be a multiple of time bins, found {config.encoder.features} "
            f"and {config.encoder.time_bins}"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: there is something already; give another folder with `--out`")
