"""compare(): every objective trained and probed alike, over several seeds; what differs surely.

A run that is done is kept as OUT/<objective>-seed<k>/ with its answers in answers.json. The same
command again goes on where it was stopped, and repeats nothing.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from poseprep.errors import InputError
from poseprep.files import write_whole
from poseprep.options import check
from poseprep.settings import differences
from poseprep.store import KeypointStore
from sslmodel.checkpoint import DAMAGED, read_json, write_json
from sslmodel.config import PretrainConfig, ProbeConfig
from sslmodel.metrics import Bootstrap, Interval, Values
from sslmodel.phonology import read_phonology
from sslmodel.plots import plot_comparison
from sslmodel.pretrain import pretrain
from sslmodel.probe import ENCODER, RAW, UNTRAINED, probe
from sslmodel.runs import read_run, versions
from sslmodel.scores import Answers, compared, units_of
from sslmodel.text import comparison_tables

ANSWERS = "answers.json"
# (measure, labels): one column of the table.
Question = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Trial:
    """One objective with one seed.

    Attributes:
        collapsed: whether its embedding did.
        failed: why there is no encoder; empty where there is one.
        answers: question → what encoder, untrained and raw answer: of `compared` metrics only.
    """

    objective: str
    seed: int
    collapsed: bool
    failed: str
    answers: dict[Question, Answers]

    def values(self, question: Question) -> dict[str, Values]:
        """Features → (1, L, M) hits or precisions."""
        answers = self.answers[question]
        metric = compared(answers)
        return {name: of[metric] for name, of in answers.values.items()}


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
    """What `slr compare` writes. collapsed, failed: `objective-seed` of such runs, with why."""

    out: Path
    means: list[Mean]
    leads: list[Lead]
    collapsed: list[str]
    failed: dict[str, str]
    intervals: str


def compare(
    store: Path,
    objectives: Sequence[str],
    seeds: int,
    out: Path,
    config: PretrainConfig,
    asked: ProbeConfig,
    progress: bool = True,
) -> Iterator[Trial | Comparison]:
    """Every run as it is done, and at last the comparison, which is also written to `out`.

    All runs have one split and one budget: they differ in objective and seed only. A run that
    collapses is scored and named; one whose training comes apart is named.

    Raises:
        InputError: a setting is not allowed, or `out` holds runs of another budget or store.
    """
    check(config)
    # One untrained encoder a seed: the one that the run began with.
    asked = replace(asked, untrained_seeds=1)
    check(asked)
    if asked.phonology:
        read_phonology(asked.phonology)
    with KeypointStore(store) as opened:
        content = opened.content_hash()
    trials = []
    for seed in range(seeds):
        for objective in objectives:
            own = replace(config, objective=objective, seed=seed)
            trial = _trial(store, content, own, asked, out / f"{objective}-seed{seed}", progress)
            trials.append(trial)
            yield trial
    found = summarise(trials, out, asked)
    _write(found, store, content, config, asked)
    yield found


def _trial(
    store: Path,
    content: str,
    config: PretrainConfig,
    asked: ProbeConfig,
    folder: Path,
    progress: bool,
) -> Trial:
    """A run that is done, read back; or trained and probed now."""
    wanted = asdict(asked)
    if asked.phonology:  # what it says counts, not where it lies
        wanted["phonology"] = hashlib.sha256(Path(asked.phonology).read_bytes()).hexdigest()
    budget = {"store_sha256": content, "pretrain": asdict(config), "probe": wanted}
    path = folder / ANSWERS
    if path.is_file():
        return _read(path, config, budget)
    collapsed, failed, answers = False, "", []
    try:
        if (folder / "encoder.json").is_file():  # trained, and stopped before its scores were there
            read_run(folder)
            collapsed = bool(read_json(folder / "encoder.json")["about"]["collapsed"])
        else:
            collapsed = pretrain(config, [store], folder, progress).collapsed
    except InputError as error:
        if "came apart" not in str(error):
            raise
        failed = str(error)
    if not failed:
        answers = probe(folder, asked, store, progress).answers
    described = {
        **_plain(budget),
        "objective": config.objective,
        "seed": config.seed,
        "collapsed": collapsed,
        "failed": failed,
        "answers": [_packed(one) for one in answers],
        "versions": versions(),
    }
    write_json(path, described)
    return _read(path, config, budget)


def _packed(answers: Answers) -> dict[str, Any]:
    """What one question was answered, of the metric that is compared."""
    metric = compared(answers)
    return {
        "measure": answers.measure,
        "labels": answers.labels,
        "labelled": answers.labelled,
        "share": answers.share,
        "metric": metric,
        "values": {name: _digits(of[metric]) for name, of in answers.values.items()},
        "truth": answers.truth.tolist(),
        "signers": answers.signers.tolist(),
        "chance": answers.chance,
    }


def _digits(values: Values) -> list[Any]:
    """Hits and misses as one text of 0 and 1 a draw; else numbers."""
    if not np.isin(values, (0, 1)).all():
        return np.round(values, 4).tolist()
    return [["".join(map(str, row.astype(int))) for row in draws] for draws in values]


def _unpacked(one: dict[str, Any]) -> Answers:
    values = {}
    for name, rows in one["values"].items():
        plain = [[[int(c) for c in d] if isinstance(d, str) else d for d in e] for e in rows]
        values[name] = {str(one["metric"]): np.array(plain, np.float64)}
    return Answers(
        one["measure"],
        one["labels"],
        float(one["labelled"]),
        float(one["share"]),
        values,
        np.array(one["truth"], int),
        np.array(one["signers"], object),
        one["chance"],
    )


def _read(path: Path, config: PretrainConfig, budget: dict[str, Any]) -> Trial:
    said = read_json(path)
    try:
        found = differences({name: said[name] for name in budget}, _plain(budget))
        answers = [_unpacked(one) for one in said["answers"]]
        trial = Trial(
            config.objective,
            config.seed,
            bool(said["collapsed"]),
            str(said["failed"]),
            {(one.measure, one.labels): one for one in answers},
        )
    except DAMAGED as error:
        raise InputError(
            f"{path}: damaged, or of another version ({error}); remove the folder, and the run is "
            "done again"
        ) from error
    if found:
        raise InputError(
            f"{path.parent}: was done with another store or budget (there → now): "
            f"{'; '.join(found[:5])}. Give the same, or another --out"
        )
    return trial


def _plain(value: Any) -> Any:
    """As JSON has it: lists, no tuples."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def summarise(trials: Sequence[Trial], out: Path, asked: ProbeConfig) -> Comparison:
    """The means of every objective and baseline, and every pair's difference.

    Raises:
        InputError: no run has an encoder.
    """
    done = [trial for trial in trials if not trial.failed]
    if not done:
        raise InputError(f"{out}: no run came to its end; try a smaller `--learning-rate`")
    means, leads, drawn = [], [], {}
    for question, asked_of in done[0].answers.items():
        rows = _rows(done, question)
        units, intervals = units_of(asked_of.signers)
        drawn[question] = intervals
        bootstrap = Bootstrap.draw(units, asked_of.truth, asked.resamples, asked.seed)
        means += [
            Mean(row, question, float(v.mean()), bootstrap.mean(v), len(v))
            for row, v in rows.items()
        ]
        leads += [
            Lead(a, b, question, float(x.mean() - y.mean()), bootstrap.difference(x, y))
            for (a, x), (b, y) in combinations(rows.items(), 2)
        ]
    return Comparison(
        out=out,
        means=means,
        leads=leads,
        collapsed=[f"{t.objective}, seed {t.seed}" for t in trials if t.collapsed],
        failed={f"{t.objective}, seed {t.seed}": t.failed for t in trials if t.failed},
        intervals=next(iter(drawn.values())),
    )


def _rows(trials: Sequence[Trial], question: Question) -> dict[str, Float[np.ndarray, "E L M"]]:
    """Each objective's seeds stacked; and the baselines, which are the same for all objectives."""
    rows = {}
    for objective in dict.fromkeys(trial.objective for trial in trials):
        own = [t.values(question)[ENCODER] for t in trials if t.objective == objective]
        rows[objective] = np.concatenate(own)
    of_seed = {trial.seed: trial.values(question) for trial in trials}
    if UNTRAINED in next(iter(of_seed.values())):
        rows[UNTRAINED] = np.concatenate([of_seed[seed][UNTRAINED] for seed in sorted(of_seed)])
        rows[RAW] = of_seed[min(of_seed)][RAW]
    return rows


def _write(
    found: Comparison, store: Path, content: str, config: PretrainConfig, asked: ProbeConfig
) -> None:
    write_whole(found.out / "comparison.md", (comparison_tables(found) + "\n").encode())
    plot_comparison(found.means, found.out / "comparison.png", f"Linear evaluation on {store.name}")
    write_json(
        found.out / "comparison.json",
        {
            **{name: value for name, value in asdict(found).items() if name != "out"},
            "store": {"name": store.name, "sha256": content},
            "pretrain": asdict(config),
            "probe": asdict(asked),
            "versions": versions(),
        },
    )
