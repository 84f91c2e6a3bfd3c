"""One row of a comparison with one seed: trained, probed, and kept as JSON.

OUT/<row>-seed<k>/answers.json says what was asked for and what every test clip was answered; it is
all that a comparison reads.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from poseprep.errors import InputError
from poseprep.files import write_whole
from poseprep.settings import differences
from sslmodel.checkpoint import DAMAGED, read_json, write_json
from sslmodel.config import OBJECTIVE_NAMES, PretrainConfig, ProbeConfig
from sslmodel.metrics import Values
from sslmodel.pretrain import CameApart, pretrain
from sslmodel.probe import RAW, SUPERVISED, UNTRAINED, probe
from sslmodel.runs import has_collapsed, is_unfinished_run, read_run, trained_on, versions
from sslmodel.scores import Answers, compared

ANSWERS = "answers.json"
# What training told, for when the run is stopped before its answers are there.
TOLD = "told.json"
BASELINES = (SUPERVISED, UNTRAINED, RAW)
# (measure, labels): one column of the table.
Question = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Trial:
    """One row with one seed.

    Attributes:
        collapsed: whether its embedding did.
        failed: why there is no encoder; empty where there is one.
        answers: question → what encoder, untrained and raw answer: of `compared` metrics only;
            empty where there is no encoder.
        baselines: those of its baselines that are the first row's, too.
        told: what training and probing told of it, and what a person wrote into its JSON
            ("remark"): what readers of the table must know.
        trained_on: the kind of device and the precision; empty where nobody took it down.
    """

    row: str
    seed: int
    collapsed: bool
    failed: str
    answers: dict[Question, Answers]
    baselines: tuple[str, ...] = BASELINES
    told: tuple[str, ...] = ()
    trained_on: str = ""

    def values(self, question: Question) -> dict[str, Values]:
        """Features → (1, L, M) hits or precisions."""
        answers = self.answers[question]
        metric = compared(answers)
        return {name: of[metric] for name, of in answers.values.items()}


def budget_of(
    config: PretrainConfig, asked: ProbeConfig, content: str, labels: str
) -> dict[str, Any]:
    """All that decides a run and its answers."""
    wanted = asdict(asked)
    if asked.phonology:  # what it says counts, not where it lies
        wanted["phonology"] = hashlib.sha256(Path(asked.phonology).read_bytes()).hexdigest()
    return {
        "store_sha256": content,
        "labels_sha256": labels,
        "pretrain": own_settings(config),
        "probe": wanted,
    }


def own_settings(config: PretrainConfig) -> dict[str, Any]:
    """All settings but those of other objectives, which this run never read."""
    groups = {name.replace("-", "_") for name in OBJECTIVE_NAMES if name != config.objective}
    return {name: value for name, value in asdict(config).items() if name not in groups}


def run_trial(
    store: Path,
    parts: dict[str, str],
    budget: dict[str, Any],
    row: str,
    config: PretrainConfig,
    asked: ProbeConfig,
    folder: Path,
    progress: bool,
) -> Trial:
    """A run that is done, read back; or trained and probed now."""
    path = folder / ANSWERS
    if path.is_file():
        return _read(path, row, config.seed, budget)
    collapsed, failed, times, answers = False, "", 0, []
    told: list[str] = []
    try:
        if (folder / "encoder.json").is_file():  # trained, and stopped before its scores were there
            run = read_run(folder)
            settings = own_settings(run.config)
            there = {"store_sha256": next(iter(run.splits)), "pretrain": settings}
            _check_same(there, {name: budget[name] for name in there}, folder)
            if next(iter(run.splits.values()))["parts"] != parts:
                raise InputError(
                    f"{folder}: learned by other labels, which gave another split. Label the "
                    "store as it was, or give another --out"
                )
            collapsed = has_collapsed(folder)
            if (folder / TOLD).is_file():
                told = [str(note) for note in read_json(folder / TOLD).get("told", ())]
        else:
            # Killed: it goes on.
            begun = is_unfinished_run(folder) and (folder / "config.json").is_file()
            trained = pretrain(config, [store], folder, progress, resume=begun)
            collapsed, told = trained.collapsed, trained.warnings
            write_json(folder / TOLD, {"told": told})
    except CameApart as error:
        failed = str(error)
    if not failed:
        probed = probe(folder, asked, store, progress)
        answers, times, told = probed.answers, probed.times_scored, [*told, *probed.notes]
    described = {
        **_plain(budget),
        "row": row,
        "seed": config.seed,
        "collapsed": collapsed,
        "failed": failed,
        "times_scored": times,
        "told": told,
        "trained_on": "" if failed else trained_on(folder),
        **_packed(answers),
        "versions": versions(),
    }
    # Many of them are kept in repositories: no indentation.
    write_whole(path, (json.dumps(described, ensure_ascii=False, default=str) + "\n").encode())
    return _read(path, row, config.seed, budget)


def _packed(answers: Sequence[Answers]) -> dict[str, Any]:
    """What was answered, of the metrics that are compared; and once, which clips were asked."""
    clips: list[dict[str, Any]] = []
    packed = []
    for one in answers:
        asked = {"truth": one.truth.tolist(), "signers": one.signers.tolist()}
        if asked not in clips:
            clips.append(asked)
        metric = compared(one)
        packed.append(
            {
                "measure": one.measure,
                "labels": one.labels,
                "labelled": one.labelled,
                "share": one.share,
                "metric": metric,
                "values": {name: _digits(of[metric]) for name, of in one.values.items()},
                "clips": clips.index(asked),
                "chance": one.chance,
            }
        )
    return {"clips": clips, "answers": packed}


def _digits(values: Values) -> list[Any]:
    """Hits and misses as the bits of one hexadecimal number a draw; else numbers."""
    if not np.isin(values, (0, 1)).all():
        return np.round(values, 4).tolist()
    return [[np.packbits(row.astype(bool)).tobytes().hex() for row in draws] for draws in values]


def _values(rows: list[Any], clips: int) -> Values:
    """What `_digits` made text of."""

    def of(draw: Any) -> Any:
        if not isinstance(draw, str):
            return draw
        return np.unpackbits(np.frombuffer(bytes.fromhex(draw), np.uint8), count=clips)

    return np.array([[of(draw) for draw in draws] for draws in rows], np.float64)


def _unpacked(one: dict[str, Any], clips: list[dict[str, Any]]) -> Answers:
    asked = clips[one["clips"]]
    truth = np.array(asked["truth"], int)
    values = {
        name: {str(one["metric"]): _values(rows, len(truth))}
        for name, rows in one["values"].items()
    }
    return Answers(
        one["measure"],
        one["labels"],
        float(one["labelled"]),
        float(one["share"]),
        values,
        truth,
        np.array(asked["signers"], object),
        one["chance"],
    )


def _read(path: Path, row: str, seed: int, budget: dict[str, Any]) -> Trial:
    said = read_json(path)
    try:
        there = {name: said[name] for name in budget}
        answers = [_unpacked(one, said["clips"]) for one in said["answers"]]
        trial = Trial(
            row,
            seed,
            bool(said["collapsed"]),
            str(said["failed"]),
            {(one.measure, one.labels): one for one in answers},
            told=tuple(str(note) for note in (*said.get("told", ()), said.get("remark")) if note),
            trained_on=str(said.get("trained_on", "")),
        )
    except DAMAGED as error:
        raise InputError(
            f"{path}: damaged, or of another version ({error}); remove the folder, and the run is "
            "done again"
        ) from error
    _check_same(there, budget, path.parent)
    return trial


def _check_same(there: dict[str, Any], wanted: dict[str, Any], folder: Path) -> None:
    """Raise InputError where a run that is there is not one of this comparison."""
    found = differences(_plain(there), _plain(wanted))
    if found:
        raise InputError(
            f"{folder}: was done with another store, labels or budget (there → now): "
            f"{'; '.join(found[:5])}. Give the same, or another --out"
        )


def _plain(value: Any) -> Any:
    """As JSON has it: lists, no tuples."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
