"""pretrain(): keypoints in, a run folder out. Labels are used for the split only."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from poseprep.errors import InputError
from poseprep.machine import check_compiler
from poseprep.options import check
from poseprep.skeleton import Skeleton
from sslmodel.chance import ClipChance, epoch_order
from sslmodel.checkpoint import save_encoder
from sslmodel.collapse import collapse_advice, collapsed, effective_rank, feature_spread
from sslmodel.config import PretrainConfig
from sslmodel.cost import encoder_summary
from sslmodel.dataset import Dataset, check_distinct, common_skeleton, load, training_windows
from sslmodel.device import (
    IMITATED_BF16,
    imitates_bf16,
    in_all,
    on_gpu,
    training_fabric,
)
from sslmodel.encoder import Encoder, check_pooling
from sslmodel.learner import Learner
from sslmodel.objectives import OBJECTIVES
from sslmodel.resume import has_states, load_state
from sslmodel.run_writer import RunWriter
from sslmodel.runlog import Record
from sslmodel.runs import check_same_run, is_unfinished_run, versions, write_run_head
from sslmodel.split import Split, leak_remarks, split_stores
from sslmodel.views import make_views

# Enough to tell whether an embedding is alive; the rank's cost grows with their square.
_WATCHED_WINDOWS = 1024
_NAMED_CLIPS = 8
_FEWEST_STEPS, _SMALL_BATCH = 4, 16


class CameApart(InputError):
    """The loss or an embedding is no finite number any more."""


@dataclass(frozen=True)
class Pretrained:
    """What a run came to.

    Attributes:
        warnings: what the user must know.
        advice: what a collapse says; empty where there was none.
    """

    folder: Path
    clips: int
    epochs: int
    seconds: float
    loss: float
    spread: float
    rank: float
    split: str
    warnings: list[str]
    advice: str

    @property
    def collapsed(self) -> bool:
        """Whether the embedding did."""
        return bool(self.advice)


def pretrain(
    config: PretrainConfig,
    stores: Sequence[Path],
    out: Path,
    progress: bool = True,
    resume: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Pretrained:
    """Train an encoder on the train part of these stores and write the run to `out`.

    The encoder's files are written at the very end: a run that has them is finished. One that has
    not is gone on with (`resume`), or begun anew where it has no checkpoint yet. The same stores,
    config, machine and number of threads give the same weights on a CPU, interrupted or not.

    Args:
        resume: go on from the run's last checkpoint; `config` and `stores` must be the run's.
        say: told what the encoder is, and what makes training slow, before it begins.

    Raises:
        InputError: a setting is not allowed, `out` holds something or cannot be written, a store
            is unfit or has changed, there is nothing to learn from, or the loss or an embedding is
            no finite number any more.
    """
    check_training(config)
    if not resume:
        _check_place(out)
    fabric = training_fabric(config.accelerator, config.devices, config.nodes, config.precision)
    skeleton = common_skeleton(stores)
    datasets = [load(path, skeleton, config.input) for path in stores]
    check_distinct(datasets)
    splits = split_stores([(d.signs, d.signers, d.splits) for d in datasets], config.split_seed)
    windows = training_windows(datasets, splits, config.all_clips)
    told = [*windows.told, *_leaks(datasets, splits)]
    if resume:
        told += check_same_run(out, config, datasets, splits)

    fabric.launch()
    # All of it, once; views are made where it lies.
    points, seen = fabric.to_device(windows.points), fabric.to_device(windows.seen)
    steps = steps_an_epoch(len(points), config.batch, fabric.world_size)
    learner = build(config, skeleton, points, seen)
    encoder, objective = learner.encoder, learner.objective
    optimizer = optimizer_of(learner, config)
    say(encoder_summary(encoder, config.input.frames))
    if config.precision == "bf16" and imitates_bf16(fabric.device):
        say(IMITATED_BF16)
    records, damaged = load_state(out, learner, optimizer) if resume else ([], [])
    told += damaged
    if config.compile:
        encoder.compile()
    model, stepper = fabric.setup(learner, optimizer)
    # Once: in a step it would be a copy to the device that everything waits for.
    mirror = torch.as_tensor(np.asarray(skeleton.mirror), device=fabric.device)
    title = f"{config.objective} on {windows.clips} clips without labels, seed {config.seed}"
    writer = RunWriter(out, config.epochs, progress, title)

    # What follows is done by the first process; the others have its result.
    def begin() -> Record:
        head = partial(write_run_head, out, config, datasets, splits, fabric.device)
        writer.begin(records, head)
        if records:
            return records[0]
        first = Record(0, *alive(encoder, points, seen, epoch=0))
        writer.write([first], learner, optimizer)
        return first

    def end_epoch() -> Record:
        watched = alive(encoder, points, seen, epoch)
        rate = stepper.param_groups[0]["lr"]
        record = sums.record(epoch, *watched, rate, writer.seconds())
        writer.write([*records, record], learner, optimizer)
        return record

    def end() -> None:
        about = {
            "objective": config.objective,
            "stores": [dataset.content_hash for dataset in datasets],
            "clips": windows.clips,
            "seed": config.seed,
            "epochs": records[-1].epoch,
            "collapsed": collapsed(records) is not None,
            "versions": versions(),
        }
        save_encoder(out, encoder, config.input, about)

    with writer:
        first = in_all(fabric, begin)
        records = records or [first]
        reason = collapsed(records)
        while records[-1].epoch < config.epochs and not (reason and config.stop_on_collapse):
            epoch = records[-1].epoch + 1
            sums = _Sums(steps, fabric.device)
            order = epoch_order(config.seed, epoch, len(points)).to(fabric.device)
            for step, batch in enumerate(order.tensor_split(steps)):
                done = (epoch - 1) * steps + step
                rate = warmup_then_cosine(done, config.epochs * steps, config.warmup)
                _set_learning_rate(stepper, rate * config.learning_rate)
                shares = batch.tensor_split(fabric.world_size)
                own = shares[fabric.global_rank]
                p, s = points[own], seen[own]  # (b, T, V, 3), (b, T, V)
                chances = [ClipChance(config.seed, epoch, own, view) for view in (1, 2)]
                branches = make_views(
                    p, s, config.views, skeleton.parts, mirror, chances, objective.reads_original
                )
                loss, watched = model(branches, tuple(map(len, shares)))
                stepper.zero_grad()
                fabric.backward(loss)
                stepper.step()
                learner.follow(done / (config.epochs * steps))
                sums.add(step, loss, watched)
            _check_finite(sums, epoch, order, windows.keys)
            records.append(in_all(fabric, end_epoch))
            alive_before, reason = reason is None, collapsed(records)
            if reason and alive_before and not config.stop_on_collapse:
                say(f"warning: epoch {epoch}: {collapse_advice(config, reason, records)}")

        in_all(fabric, partial(writer.end, end))

    last = records[-1]
    return Pretrained(
        folder=out,
        clips=windows.clips,
        epochs=last.epoch,
        seconds=last.seconds,
        loss=last.loss or 0.0,
        spread=last.spread,
        rank=last.rank,
        split="; ".join(dict.fromkeys(split.how for split in splits)),
        warnings=told,
        advice=collapse_advice(config, reason, records) if reason else "",
    )


def build(
    config: PretrainConfig,
    skeleton: Skeleton,
    points: Float[Tensor, "W T V C"],
    seen: Float[Tensor, "W T V"],
) -> Learner:
    """A fresh encoder and objective: weights by the seed, the input's scale by the clips."""
    with torch.random.fork_rng(devices=[]):
        # The CPU's generator alone, which is put back afterwards; a GPU's would not be.
        torch.default_generator.manual_seed(config.seed)
        encoder = Encoder(skeleton, config.encoder)
        encoder.to(points.device).fit_input(points, seen)
        learner = Learner(encoder, OBJECTIVES[config.objective](config.encoder.features, config))
    return learner.to(points.device)


def optimizer_of(learner: Learner, config: PretrainConfig) -> torch.optim.Optimizer:
    """AdamW over everything that learns."""
    return torch.optim.AdamW(
        [weight for weight in learner.parameters() if weight.requires_grad],
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=True,
    )


def steps_an_epoch(windows: int, batch: int, processes: int) -> int:
    """How many batches an epoch has: of at most `batch` windows, but none of one alone.

    Small corpora have four smaller batches an epoch, of 16 windows at least: with one
    large batch an epoch, training would end before it had begun.

    Raises:
        InputError: a process would have nothing of a batch.
    """
    few = min(_FEWEST_STEPS, windows // _SMALL_BATCH)
    steps = max(1, few, min(math.ceil(windows / batch), windows // 2))
    if windows // steps < processes:
        larger = "" if steps == few else " or a larger `--batch`"
        raise InputError(
            f"{processes} processes, but {windows // steps} clips in a batch; give fewer "
            f"`--devices`{larger}"
        )
    return steps


def warmup_then_cosine(step: int, total: int, warmup: float) -> float:
    """The learning rate's share of its peak at a step: a straight rise, then half a cosine."""
    rising = max(1, round(warmup * total))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total - rising)))


class _Sums:
    """Loss and terms of an epoch's steps, kept on the device: nobody waits for them in between."""

    def __init__(self, steps: int, device: torch.device):
        self.losses = torch.zeros(steps, device=device)
        self._sums: dict[str, Tensor] = {}

    def add(self, step: int, loss: Tensor, watched: dict[str, Tensor]) -> None:
        self.losses[step] = loss.detach()
        for name, value in watched.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach()

    def record(
        self, epoch: int, spread: float, rank: float, learning_rate: float, seconds: float
    ) -> Record:
        """The epoch's line in the log."""
        steps = len(self.losses)
        means = {name: float(total) / steps for name, total in self._sums.items()}
        alignment, separation = means.pop("alignment"), means.pop("separation")
        return Record(
            epoch=epoch,
            spread=spread,
            rank=rank,
            loss=float(self.losses.mean()),
            terms=means,
            alignment=alignment,
            invariance=1 - alignment / separation if separation > 0 else 0.0,
            learning_rate=learning_rate,
            seconds=seconds,
        )


def _set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _leaks(datasets: Sequence[Dataset], splits: Sequence[Split]) -> list[str]:
    every = Split(np.concatenate([split.part for split in splits]), "")
    signers, given = (
        np.concatenate([getattr(d, c) for d in datasets]) for c in ("signers", "splits")
    )
    return leak_remarks(every, signers, given)


@torch.no_grad()
def alive(
    encoder: Encoder, points: Float[Tensor, "W T V C"], seen: Float[Tensor, "W T V"], epoch: int
) -> tuple[float, float]:
    """Feature spread and effective rank over training windows as they are, without views."""
    # Evenly over all of them: they stand in the order of stores and keys.
    count = min(len(points), _WATCHED_WINDOWS)
    chosen = torch.linspace(0, len(points) - 1, count, device=points.device).round().long()
    pairs = zip(points[chosen].split(256), seen[chosen].split(256), strict=True)
    training = encoder.training
    encoder.eval()
    embeddings = torch.cat([encoder(p, s) for p, s in pairs])
    encoder.train(training)
    _check_alive(embeddings, epoch)
    return feature_spread(embeddings), effective_rank(embeddings)


def check_training(config: PretrainConfig) -> None:
    """Raise InputError where a setting is not allowed here, or two do not go together."""
    check(config)
    if config.compile:
        check_compiler(gpu=on_gpu(config.accelerator))
    check_pooling(config.encoder)
    if config.encoder.backbone != "parts-apart" and config.devices * config.nodes > 1:
        raise InputError(
            f"--encoder-backbone {config.encoder.backbone}: has batch normalisation, which each "
            "process would do for its own share; train it on one device"
        )


def _check_place(out: Path) -> None:
    taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if taken and not is_unfinished_run(out):
        raise InputError(f"{out}: there is something already; give another folder with `--out`")
    if has_states(out):
        raise InputError(
            f"{out}: holds a run that did not come to its end; `slr pretrain --resume --out {out}` "
            "goes on with it. To begin anew, remove it, or give another folder with `--out`"
        )


def _check_finite(sums: _Sums, epoch: int, order: Int[Tensor, " N"], keys: Sequence[str]) -> None:
    """Raise CameApart and name the first batch whose loss is no finite number."""
    bad = torch.nonzero(~sums.losses.isfinite())[:, 0]
    if not len(bad):
        return
    step = int(bad[0])
    clips = [keys[i] for i in order.tensor_split(len(sums.losses))[step].tolist()]
    more = ", …" if len(clips) > _NAMED_CLIPS else ""
    raise CameApart(
        f"training came apart in epoch {epoch}, step {step + 1} of {len(sums.losses)}: the loss is "
        "no finite number any more, so no encoder was written. The batch was: "
        f"{', '.join(clips[:_NAMED_CLIPS])}{more}. Try a smaller `--learning-rate`"
    )


def _check_alive(embeddings: Float[Tensor, "W D"], epoch: int) -> None:
    if embeddings.isfinite().all():
        return
    if epoch == 0:
        raise InputError(
            "an embedding of the untrained encoder is no finite number: some clip's points are too "
            "large to be read; `slr show` draws clips"
        )
    raise CameApart(
        f"training came apart in epoch {epoch}: an embedding is no finite number any more, so "
        "no encoder was written; try a smaller `--learning-rate`"
    )
