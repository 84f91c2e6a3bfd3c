"""compare(): every row trained and probed alike, over several seeds; what differs surely.

A run that is done is kept as OUT/<row>-seed<k>/ (trial.py). The same command again goes on where it
was stopped, and repeats nothing.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from poseprep.errors import InputError
from poseprep.files import write_whole
from poseprep.options import check
from poseprep.store import KeypointStore
from sslmodel.checkpoint import write_json
from sslmodel.config import PretrainConfig, ProbeConfig
from sslmodel.dataset import common_skeleton, load
from sslmodel.device import IMITATED_BF16, fabric_on, imitates_bf16
from sslmodel.metrics import Bootstrap, Interval, Values
from sslmodel.phonology import read_phonology
from sslmodel.plots import plot_comparison
from sslmodel.pretrain import check_training
from sslmodel.probe import ENCODER, RAW, SUPERVISED, UNTRAINED
from sslmodel.runs import parts_by_key, versions
from sslmodel.scores import told_resampling, units_of
from sslmodel.split import development, make_split
from sslmodel.task import make_task
from sslmodel.text import comparison_tables
from sslmodel.trial import BASELINES, Question, Trial, budget_of, own_settings, run_trial
from sslmodel.variants import Row

# Of more rows than these only the differences from the first and from the baselines are told.
_MOST_PAIRED = 6


@dataclass(frozen=True)
class Mean:
    """One cell: the mean over seeds, draws and clips, with its 95 % interval."""

    row: str
    question: Question
    value: float
    interval: Interval
    seeds: int


@dataclass(frozen=True)
class Lead:
    """One row's mean minus another's, paired over clips, draws and seeds."""

    row: str
    against: str
    question: Question
    value: float
    interval: Interval

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval[0] > 0 or self.interval[1] < 0


@dataclass(frozen=True)
class Comparison:
    """What `slr compare` writes. collapsed, failed: such runs by row and seed, with why."""

    out: Path
    means: list[Mean]
    leads: list[Lead]
    collapsed: list[str]
    failed: dict[str, str]
    intervals: str
    notes: list[str]


def compare(
    store: Path,
    rows: Sequence[Row],
    out: Path,
    asked: ProbeConfig,
    progress: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[Trial | Comparison]:
    """Every run as it is done, and at last the comparison, which is also written to `out`.

    All runs have one split; rows differ in what their configs say, and a row's runs in the seed
    alone. A run that collapses is scored and named; one whose training comes apart is named.

    Args:
        say: told what makes training slow, before it begins.

    Raises:
        InputError: a setting is not allowed, the store's labels give no score, or `out` holds runs
            of another budget or store, or with other labels.
    """
    if not rows:
        raise InputError("expected at least one row to compare, found none")
    config = rows[0].config
    for row in rows:
        check_training(row.config)
        if _data(row.config) != _data(config):
            raise InputError(f"{row.name}: reads or splits the clips otherwise than {rows[0].name}")
    # One untrained encoder a seed: the one that the run began with.
    asked = replace(asked, untrained_seeds=1, accelerator=config.accelerator)
    check(asked)
    parts, notes = _check_scorable(store, config, asked)
    with KeypointStore(store) as opened:
        content, labels = opened.content_hash(), _label_hash(opened)
    if config.precision == "bf16" and imitates_bf16(fabric_on(config.accelerator).device):
        say(IMITATED_BF16)
    trials = []
    for seed in range(max(row.seeds for row in rows)):
        for row in rows:
            if seed >= row.seeds:
                continue
            # Everybody has the whole budget: none is stopped.
            own = replace(row.config, seed=seed, stop_on_collapse=False)
            budget = budget_of(own, asked, content, labels)
            folder = out / f"{row.name}-seed{seed}"
            trial = run_trial(store, parts, budget, row.name, own, asked, folder, progress)
            trial = replace(trial, baselines=_shared_baselines(row.config, config))
            trials.append(trial)
            yield trial
    found = summarise(trials, out, asked, notes)
    _write(found, store, content, rows, asked)
    yield found


def _data(config: PretrainConfig) -> tuple[Any, ...]:
    """What decides which clips are read how, and who learns."""
    return config.input, config.split_seed, config.all_clips


def _shared_baselines(own: PretrainConfig, first: PretrainConfig) -> tuple[str, ...]:
    """Which baselines of a row are the first row's, too; what learns labels has views as well."""
    if own.encoder != first.encoder:
        return (RAW,)
    return BASELINES if own.views == first.views else (UNTRAINED, RAW)


def _check_scorable(
    store: Path, config: PretrainConfig, asked: ProbeConfig
) -> tuple[dict[str, str], list[str]]:
    """Raise InputError before hours of training where no score could come of it.

    Returns:
        The part of every clip, and what to tell.
    """
    if asked.phonology:
        read_phonology(asked.phonology)
    dataset = load(store, common_skeleton([store]), config.input)
    split = make_split(dataset.signs, dataset.signers, dataset.splits, config.split_seed)
    parts = parts_by_key(dataset, split)
    if asked.part == "val":
        split = development(split, dataset.signs, dataset.signers, asked.split_seed)
    return parts, make_task(dataset, split, asked.allow_signer_leak)[2]


def _label_hash(store: KeypointStore) -> str:
    """SHA-256 over every clip's key, sign, signer and split: what decides who is asked what."""
    digest = hashlib.sha256()
    for row in zip(store.keys, store.signs, store.signers, store.splits, strict=True):
        digest.update(("\0".join(row) + "\n").encode())
    return digest.hexdigest()


def summarise(
    trials: Sequence[Trial], out: Path, asked: ProbeConfig, notes: list[str]
) -> Comparison:
    """The means of every row and baseline; each pair's difference, or where rows are many, the
    first one's from each, and each one's from the baselines.

    Raises:
        InputError: no run has an encoder.
    """
    # In the order asked for, also where the first seed of a row failed.
    order = list(dict.fromkeys(trial.row for trial in trials))
    done = sorted((t for t in trials if not t.failed), key=lambda t: order.index(t.row))
    if not done:
        raise InputError(
            f"{out}: no run came to its end; try a smaller `--learning-rate`, with another `--out`"
        )
    means, leads, resampled = [], [], {}
    for question, asked_of in done[0].answers.items():
        rows = _rows(done, question)
        units, resampled[question[0]] = units_of(asked_of.signers)
        bootstrap = Bootstrap.draw(units, asked_of.truth, asked.resamples, asked.seed)
        for row, of_seeds in rows.items():
            values = np.concatenate(list(of_seeds.values()))
            interval = bootstrap.mean(values)
            means.append(Mean(row, question, float(values.mean()), interval, len(values)))
        first = next(iter(rows))
        for (a, of_a), (b, of_b) in combinations(rows.items(), 2):
            if len(rows) > _MOST_PAIRED and a != first and b not in (SUPERVISED, UNTRAINED, RAW):
                continue
            # Of seeds that one side only has, nothing is known of the difference.
            shared = [seed for seed in of_a if seed in of_b]
            x, y = (np.concatenate([of[seed] for seed in shared or of]) for of in (of_a, of_b))
            lead = float(x.mean() - y.mean())
            leads.append(Lead(a, b, question, lead, bootstrap.difference(x, y)))
    return Comparison(
        out=out,
        means=means,
        leads=leads,
        collapsed=[_named(t) for t in trials if t.collapsed],
        failed={_named(t): t.failed for t in trials if t.failed},
        intervals=told_resampling(resampled),
        notes=[*notes, *_told(trials, notes)],
    )


def _told(trials: Sequence[Trial], notes: Sequence[str]) -> list[str]:
    """What runs tell beside `notes`, each thing once; with the runs it is of, if not of all."""
    runs: dict[str, list[str]] = {}
    differ = len({trial.trained_on for trial in trials} - {""}) > 1
    for trial in trials:
        where = [f"trained on {trial.trained_on}"] if differ and trial.trained_on else []
        for note in dict.fromkeys((*trial.told, *where)):
            runs.setdefault(note, []).append(_named(trial))
    scored = {_named(trial) for trial in trials if not trial.failed}
    return [
        note if scored.issubset(of) else f"{'; '.join(of)}: {note}"
        for note, of in runs.items()
        if note not in notes
    ]


def _named(trial: Trial) -> str:
    return f"{trial.row}, seed {trial.seed}"


def _rows(trials: Sequence[Trial], question: Question) -> dict[str, dict[int | None, Values]]:
    """Of each row its (1, L, M) values by seed: what was trained, and baselines that all share.

    Raw coordinates have no seed. Rows with another encoder have another untrained one, which is no
    baseline of the others.
    """
    rows: dict[str, dict[int | None, Values]] = {}
    baselines: dict[str, dict[int | None, Values]] = {name: {} for name in BASELINES}
    for trial in trials:
        values = trial.values(question)
        rows.setdefault(trial.row, {})[trial.seed] = values[ENCODER]
        for name in trial.baselines:
            if name in values:  # what was trained from scratch answers some questions only
                baselines[name].setdefault(None if name == RAW else trial.seed, values[name])
    return rows | {name: found for name, found in baselines.items() if found}


def _write(
    found: Comparison, store: Path, content: str, rows: Sequence[Row], asked: ProbeConfig
) -> None:
    write_whole(found.out / "comparison.md", (comparison_tables(found) + "\n").encode())
    plot_comparison(found.means, found.out / "comparison.png", f"Linear evaluation on {store.name}")
    write_json(
        found.out / "comparison.json",
        {
            **{name: value for name, value in asdict(found).items() if name != "out"},
            "store": {"name": store.name, "sha256": content},
            "rows": {row.name: own_settings(row.config) for row in rows},
            "probe": asdict(asked),
            "versions": versions(),
        },
    )
