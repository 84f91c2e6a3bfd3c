"""probe(): how good is a frozen encoder? Linear evaluation, always beside its baselines."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from lightning_fabric import Fabric

from poseprep.errors import InputError
from sslmodel.checkpoint import load_encoder, write_json
from sslmodel.config import ProbeConfig
from sslmodel.dataset import Dataset, load
from sslmodel.features import encode, raw_coordinates
from sslmodel.linear import LinearFit, fit_linear
from sslmodel.metrics import bootstrap, mean_per_sign, top_k
from sslmodel.plots import plot_confusion
from sslmodel.runs import Run, read_run, versions
from sslmodel.split import PARTS, Split, leaking_signers, make_split


@dataclass(frozen=True)
class Score:
    """One row of the table. Shares in 0..1; intervals are 95 %, by bootstrap over test clips."""

    features: str
    top1: float
    top1_interval: tuple[float, float]
    top5: float
    per_sign: float
    per_sign_interval: tuple[float, float]
    encoders: int = 1
    inverse_penalties: tuple[float, ...] = ()


@dataclass(frozen=True)
class Coverage:
    """Clips in the store, used for the score, and left out with the reason."""

    expected: int
    used: int
    left_out: dict[str, int]
    without_person: int
    parts: dict[str, int]
    signs: int


@dataclass(frozen=True)
class ProbeResult:
    """What `slr probe` prints; scores.json holds the same and the settings."""

    scores: list[Score]
    coverage: Coverage
    split: str
    notes: list[str]
    folder: Path


def probe(run_folder: Path, config: ProbeConfig, store: Path | None = None) -> ProbeResult:
    """Score a run's encoder on a store, by default the one it was trained on.

    The split is the run's own where the run learned from this store, so that no clip of val or
    test was seen in pretraining; else a fresh one. Writes scores.json and confusion.png into
    the run's folder probe/ (for another store, into a folder of its own below it).

    Raises:
        InputError: no such run or store, other points, or labels that allow no score.
    """
    run = read_run(run_folder)
    encoder, settings = load_encoder(run_folder)
    dataset = load(store or _own_store(run), encoder.skeleton, settings)
    own, split, notes = _split(run, dataset, config.split_seed)
    coverage = _coverage(dataset, split)
    split = Split(np.where(dataset.signs != "", split.part, ""), split.how)
    _check(dataset, split)

    device = Fabric(accelerator=config.accelerator, devices=1).device
    seeds = range(run.config.seed, run.config.seed + config.untrained_seeds)
    untrained = [encoder.untrained(seed) for seed in seeds]
    rows = {
        "encoder": [encode(encoder, dataset, device)],
        "untrained encoder": [encode(other, dataset, device) for other in untrained],
        "raw coordinates": [raw_coordinates(dataset)],
    }
    signs = dataset.signs.astype(str)
    fits = {name: [fit_linear(x, signs, split) for x in sets] for name, sets in rows.items()}
    test = signs[split.is_in("test")]
    scores = [_score(name, row, test, config) for name, row in fits.items()]
    scores.append(_chance(len(fits["encoder"][0].signs)))

    folder = run_folder / "probe"
    if not own:
        folder = folder / f"{dataset.path.stem}-{dataset.content_hash[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    result = ProbeResult(scores, coverage, split.how, notes, folder)
    _write(result, run, dataset, config)
    best = fits["encoder"][0]
    title = f"{run_folder.name}: top-1 {scores[0].top1:.1%} of {len(test)} test clips"
    plot_confusion(_confusion(best, test), list(best.signs), folder / "confusion.png", title)
    return result


def _own_store(run: Run) -> Path:
    if len(run.stores) != 1:
        raise InputError(
            f"{run.folder}: learned from {len(run.stores)} stores; say which one to probe: "
            + ", ".join(map(str, run.stores))
        )
    if not run.stores[0].is_file():
        raise InputError(
            f"{run.folder}: learned from {run.stores[0]}, which is not there any more; "
            "give the store, as in `slr probe RUN STORE.h5`"
        )
    return run.stores[0]


def _split(run: Run, dataset: Dataset, seed: int) -> tuple[bool, Split, list[str]]:
    split, notes = run.split_of(dataset), []
    own = split is not None
    if split is None:
        split = make_split(dataset.signs, dataset.signers, dataset.splits, seed)
        notes.append(f"the run did not learn from {dataset.path}: this store was split afresh")
    elif run.config.all_clips:
        notes.append("transductive: pretraining saw every clip (without labels), test included")
    if leaks := leaking_signers(split, dataset.signers):
        notes.append(
            f"not signer-independent: {len(leaks)} signers of test, such as {leaks[0]!r}, are in "
            "train or val too"
        )
    return own, split, notes


def _check(dataset: Dataset, split: Split) -> None:
    """Can these labels give a score at all?"""
    signs = sorted(set(dataset.signs[dataset.signs != ""]))
    if len(signs) < 2:
        found = f"only {signs[0]!r}" if signs else "none"
        raise InputError(
            f"{dataset.path}: a score needs at least two signs, found {found}; put videos into "
            "folders named by sign, or give `slr extract` a labels.csv"
        )
    for part in PARTS:
        if not split.is_in(part).any():
            raise InputError(
                f"{dataset.path}: no labelled clip in {part} (split {split.how}: {split.sizes}); "
                "label more clips, or more signers"
            )
    unknown = sorted(
        set(dataset.signs[split.is_in("test")]) - set(dataset.signs[split.is_in("train")])
    )
    if unknown:
        raise InputError(
            f"{dataset.path}: {len(unknown)} signs of test are not in train, such as "
            f"{unknown[0]!r} (split {split.how}); a sign never shown cannot be named. Add clips "
            "of it by other signers, or take it out of the labels"
        )


def _coverage(dataset: Dataset, split: Split) -> Coverage:
    unlabelled, unsplit = dataset.signs == "", split.part == ""
    used = ~unlabelled & ~unsplit
    left_out = {"no sign": int(unlabelled.sum()), "in no part": int((unsplit & ~unlabelled).sum())}
    return Coverage(
        expected=len(dataset),
        used=int(used.sum()),
        left_out={why: count for why, count in left_out.items() if count},
        without_person=int((used & ~dataset.person).sum()),
        parts={part: int((used & split.is_in(part)).sum()) for part in PARTS},
        signs=len(set(dataset.signs[used])),
    )


def _score(name: str, fits: Sequence[LinearFit], test: np.ndarray, config: ProbeConfig) -> Score:
    """The mean over the fits; a test clip's hit is its mean hit, so one interval covers all."""
    truth = np.searchsorted(fits[0].signs, test)
    hits: Float[np.ndarray, " M"] = np.mean([top_k(f.scores, truth, 1) for f in fits], axis=0)
    hits5: Float[np.ndarray, " M"] = np.mean([top_k(f.scores, truth, 5) for f in fits], axis=0)
    interval, per_sign_interval = bootstrap(hits, truth, config.resamples, config.seed)
    return Score(
        features=name,
        top1=float(hits.mean()),
        top1_interval=interval,
        top5=float(hits5.mean()),
        per_sign=mean_per_sign(hits, truth),
        per_sign_interval=per_sign_interval,
        encoders=len(fits),
        inverse_penalties=tuple(fit.inverse_penalty for fit in fits),
    )


def _chance(signs: int) -> Score:
    one, five = 1 / signs, min(5, signs) / signs
    return Score("chance", one, (one, one), five, one, (one, one), encoders=0)


def _confusion(fit: LinearFit, test: np.ndarray) -> np.ndarray:
    """(S, S) int: rows are the true signs, columns what was predicted."""
    counts = np.zeros((len(fit.signs), len(fit.signs)), int)
    np.add.at(counts, (np.searchsorted(fit.signs, test), fit.scores.argmax(axis=1)), 1)
    return counts


def _write(result: ProbeResult, run: Run, dataset: Dataset, config: ProbeConfig) -> None:
    clips = Counter(dataset.signs[dataset.signs != ""].tolist())
    write_json(
        result.folder / "scores.json",
        {
            "scores": [asdict(score) for score in result.scores],
            "coverage": asdict(result.coverage),
            "split": result.split,
            "notes": result.notes,
            "run": str(run.folder),
            "store": {"path": str(dataset.path), "sha256": dataset.content_hash},
            "clips_of_each_sign": dict(sorted(clips.items())),
            "config": asdict(config),
            "pretrain": asdict(run.config),
            "versions": versions(),
        },
    )
