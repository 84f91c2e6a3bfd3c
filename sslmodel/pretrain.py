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
from torch import Tensor, nn

from poseprep.errors import InputError
from poseprep.options import check
from poseprep.skeleton import Skeleton
from sslmodel.checkpoint import save_encoder
from sslmodel.collapse import collapse_advice, collapse_reason, effective_rank, feature_spread
from sslmodel.config import PretrainConfig
from sslmodel.dataset import check_distinct, common_skeleton, load, training_windows
from sslmodel.device import fabric_on
from sslmodel.encoder import Encoder
from sslmodel.objectives import OBJECTIVES
from sslmodel.plots import plot_curve
from sslmodel.runlog import Record, RunLog
from sslmodel.runs import is_unfinished_run, versions, write_run_head
from sslmodel.split import Split, leak_remarks, split_stores
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

    The encoder's files are written at the very end: a run that has them is finished; one that
    has not is begun anew. The same stores, config and machine give the same weights on a CPU.

    Raises:
        InputError: a setting is not allowed, `out` holds something, a store is unfit, there is
            nothing to learn from, or the loss or an embedding is no finite number any more.
    """
    began = time.monotonic()
    _check(config, out)
    skeleton = common_skeleton(stores)
    datasets = [load(path, skeleton, config.input) for path in stores]
    check_distinct(datasets)
    splits = split_stores([(d.signs, d.signers, d.splits) for d in datasets], config.split_seed)
    points, seen, clips, told = training_windows(datasets, splits, config.all_clips)
    every = Split(np.concatenate([split.part for split in splits]), "")
    signers, given = (
        np.concatenate([getattr(d, c) for d in datasets]) for c in ("signers", "splits")
    )
    told += leak_remarks(every, signers, given)

    fabric = fabric_on(config.accelerator)
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

    _make_folder(out)
    with RunLog(out, config.epochs, progress) as log:
        write_run_head(out, config, datasets, splits, fabric.device)
        spread, rank = alive(encoder, points, seen, epoch=0)
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
            _check_finite(means["loss"], epoch)
            spread, rank = alive(encoder, points, seen, epoch)
            rate, elapsed = float(schedule.get_last_lr()[0]), round(time.monotonic() - began, 3)
            log.write(Record(epoch, spread, rank, means.pop("loss"), means, rate, elapsed))

    first = log.records[0]
    reason = collapse_reason(spread, rank, untrained_spread=first.spread, untrained_rank=first.rank)
    if reason is not None:
        told.append(collapse_advice(config.objective, reason))
    title = f"{config.objective} on {clips} clips without labels, seed {config.seed}"
    plot_curve(log.records, out / "curve.png", title)
    about = {
        "objective": config.objective,
        "stores": [dataset.content_hash for dataset in datasets],
        "clips": clips,
        "seed": config.seed,
        "epochs": config.epochs,
        "collapsed": reason is not None,
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
        collapsed=reason is not None,
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
        # The CPU's generator alone, which is put back afterwards; a GPU's would not be.
        torch.default_generator.manual_seed(config.seed)
        encoder = Encoder(skeleton, config.encoder)
        objective = OBJECTIVES[config.objective](config.encoder.features, config)
    encoder.to(points.device).fit_input(points, seen)
    return encoder, objective


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
    encoder: Encoder, points: Float[Tensor, "W T V C"], seen: Float[Tensor, "W T V"], epoch: int
) -> tuple[float, float]:
    """Feature spread and effective rank over training windows as they are, without views."""
    pairs = zip(
        points[:_WATCHED_WINDOWS].split(256), seen[:_WATCHED_WINDOWS].split(256), strict=True
    )
    embeddings = torch.cat([encoder(p, s) for p, s in pairs])
    _check_finite(float(embeddings.abs().amax()), epoch)
    return feature_spread(embeddings), effective_rank(embeddings)


def _check(config: PretrainConfig, out: Path) -> None:
    check(config)
    if config.encoder.features % config.encoder.time_bins:
        raise InputError(
            "--encoder-features: expected a multiple of --encoder-time-bins "
            f"({config.encoder.time_bins}), found {config.encoder.features}"
        )
    taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if taken and not is_unfinished_run(out):
        raise InputError(f"{out}: there is something already; give another folder with `--out`")


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{out}: the run's folder cannot be made ({error}); give another one with `--out`"
        ) from error


def _check_finite(value: float, epoch: int) -> None:
    if not math.isfinite(value):
        raise InputError(
            f"training came apart in epoch {epoch}: the loss or an embedding is no finite number "
            "any more, so no encoder was written; try a smaller `--learning-rate`"
        )
