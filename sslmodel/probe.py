"""probe(): how good is a frozen encoder? Linear evaluation, always beside its baselines."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from poseprep.errors import InputError
from poseprep.options import check
from sslmodel.checkpoint import load_encoder, write_json
from sslmodel.config import ProbeConfig
from sslmodel.dataset import Dataset, load
from sslmodel.device import fabric_on
from sslmodel.features import encode, raw_coordinates
from sslmodel.linear import LinearFit, fit_linear
from sslmodel.plots import plot_confusion
from sslmodel.runs import Run, read_run, versions
from sslmodel.scores import Difference, Score, compare
from sslmodel.split import PARTS, Split, keep_parts, leak_remarks, make_split


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
    """What `slr probe` prints; scores.json holds the same and the settings.

    intervals: what was drawn to get them.
    """

    scores: list[Score]
    differences: list[Difference]
    intervals: str
    coverage: Coverage
    split: str
    notes: list[str]
    folder: Path


def probe(run_folder: Path, config: ProbeConfig, store: Path | None = None) -> ProbeResult:
    """Score a run's encoder on a store, by default the one it was trained on.

    The split is the run's own where the run learned from this store, so that no clip of val or
    test was seen in pretraining; else a fresh one, in which clips that the run knows keep their
    part. Writes scores.json and confusion.png into the run's folder probe/ (for another store,
    into a folder of its own below it).

    Raises:
        InputError: a setting is not allowed, no such run or store, other points, or labels that
            allow no score.
    """
    check(config)
    run = read_run(run_folder)
    encoder, settings = load_encoder(run_folder)
    dataset = load(store or _own_store(run), encoder.skeleton, settings)
    own, split, notes = evaluation_split(run, dataset, config.split_seed)
    coverage = _coverage(dataset, split)
    split = Split(np.where(dataset.signs != "", split.part, ""), split.how)
    _check(dataset, split)

    device = fabric_on(config.accelerator).device
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
    scores, differences, intervals = compare(
        fits, test, dataset.signers[split.is_in("test")], config
    )

    folder = run_folder / "probe"
    if not own:
        folder = folder / f"{dataset.path.stem}-{dataset.content_hash[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    result = ProbeResult(scores, differences, intervals, coverage, split.how, notes, folder)
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


def evaluation_split(run: Run, dataset: Dataset, seed: int) -> tuple[bool, Split, list[str]]:
    """Whether the run learned from this very store, the split to score it by, and what to tell.

    No clip that was trained on stands in val or test, unless the run learned from all clips.
    """
    split, notes = run.split_of(dataset), []
    own = split is not None
    known = run.parts_of(dataset)
    if split is None:
        split = make_split(dataset.signs, dataset.signers, dataset.splits, seed)
        if (known != "").any():
            split = keep_parts(split, known, dataset.signers)
            notes.append(
                f"{dataset.path} is not as the run saw it: {int((known != '').sum())} of its "
                f"{len(dataset)} clips were in the run and keep their part, the others were "
                "split afresh, each with its signer"
            )
        else:
            notes.append(f"the run did not learn from {dataset.path}: this store was split afresh")
    if run.config.all_clips and (own or (known != "").any()):
        notes.append("transductive: pretraining saw every clip (without labels), test included")
    return own, split, notes + leak_remarks(split, dataset.signers)


def _check(dataset: Dataset, split: Split) -> None:
    """Can these labels give a score at all?"""
    signs = sorted(set(dataset.signs[dataset.signs != ""]))
    if len(signs) < 2:
        found = f"only {signs[0]!r}" if signs else "none"
        raise InputError(
            f"{dataset.path}: a score needs at least two signs, found {found}; put videos into "
            "folders named by sign, or give the store labels with `slr label STORE labels.csv`"
        )
    for part in PARTS:
        if not split.is_in(part).any():
            raise InputError(
                f"{dataset.path}: no labelled clip in {part} (split {split.how}: {split.sizes}); "
                "label more clips, or more signers"
            )
    shown = set(dataset.signs[split.is_in("train")])
    if len(shown) < 2:
        raise InputError(
            f"{dataset.path}: train has only the sign {min(shown)!r} (split {split.how}), and a "
            "classifier needs two to choose from; put clips of other signs into train"
        )
    unknown = sorted(set(dataset.signs[split.is_in("test")]) - shown)
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
            "differences": [asdict(difference) for difference in result.differences],
            "intervals": result.intervals,
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
