"""What `slr probe` left in RUN/probe, read back: scores.json and predictions.csv."""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poseprep.errors import InputError
from sslmodel.checkpoint import DAMAGED, read_json
from sslmodel.scores import Difference, Score
from sslmodel.task import Coverage


@dataclass(frozen=True)
class Prediction:
    """A test clip, and the signs that the encoder took it for, the likeliest first."""

    key: str
    sign: str
    signer: str
    predicted: tuple[str, ...]

    @property
    def right(self) -> bool:
        return self.sign == self.predicted[0]


@dataclass(frozen=True)
class Scored:
    """A probe's results.

    Attributes:
        intervals: what was resampled to get them.
        split: how the store was split.
        store, store_sha256: the store that was probed.
        times_scored: how often this part of the store had scored this encoder by then; 0: unknown.
        clips_of_each_sign: in the whole store.
        predictions: of every test clip; empty where the file is not there.
    """

    scores: list[Score]
    differences: list[Difference]
    intervals: str
    split: str
    notes: list[str]
    coverage: Coverage
    store: Path
    store_sha256: str
    times_scored: int
    clips_of_each_sign: dict[str, int]
    predictions: list[Prediction]

    def lead(self, measure: str, labels: str, against: str) -> Difference | None:
        """The encoder's lead over other features; None where it was not asked for."""
        for found in self.differences:
            if (found.measure, found.labels, found.against) == (measure, labels, against):
                return found
        return None

    def most_labels(self, measure: str) -> Score | None:
        """The first features' score with the most labels that were asked for."""
        rows = [score for score in self.scores if score.measure == measure and score.encoders]
        # Of rows with as many labels, max gives the first.
        return max(rows, key=lambda score: score.share, default=None)


def read_scored(folder: Path) -> Scored:
    """The results in a folder such as RUN/probe.

    Raises:
        InputError: they are damaged, or another version wrote them.
    """
    path = folder / "scores.json"
    values = read_json(path)
    try:
        coverage = values["coverage"]
        return Scored(
            scores=[_score(row) for row in values["scores"]],
            differences=[_difference(row) for row in values["differences"]],
            intervals=str(values["intervals"]),
            split=str(values["split"]),
            notes=[str(note) for note in values["notes"]],
            coverage=Coverage(
                expected=int(coverage["expected"]),
                used=int(coverage["used"]),
                left_out={str(why): int(n) for why, n in coverage["left_out"].items()},
                without_person=int(coverage["without_person"]),
                parts={str(part): int(n) for part, n in coverage["parts"].items()},
                signs=int(coverage["signs"]),
            ),
            store=Path(values["store"]["path"]),
            store_sha256=str(values["store"]["sha256"]),
            times_scored=int(values.get("times_scored", 0)),
            clips_of_each_sign={
                str(sign): int(n) for sign, n in values.get("clips_of_each_sign", {}).items()
            },
            predictions=read_predictions(folder / "predictions.csv"),
        )
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(
            f"{path}: damaged, or of another version ({type(error).__name__}: {error}); "
            "`slr probe` writes it again"
        ) from error


def _score(row: Mapping[str, Any]) -> Score:
    return Score(
        measure=str(row["measure"]),
        features=str(row["features"]),
        labels=str(row["labels"]),
        labelled=_number(row["labelled"]),
        share=_number(row["share"]),
        values={str(metric): _number(value) for metric, value in row["values"].items()},
        intervals={str(metric): _interval(pair) for metric, pair in row["intervals"].items()},
        encoders=int(row["encoders"]),
        draws=int(row["draws"]),
    )


def _difference(row: Mapping[str, Any]) -> Difference:
    return Difference(
        measure=str(row["measure"]),
        labels=str(row["labels"]),
        against=str(row["against"]),
        metric=str(row["metric"]),
        value=_number(row["value"]),
        interval=_interval(row["interval"]),
    )


def _interval(pair: Any) -> tuple[float, float]:
    low, high = pair
    return _number(low), _number(high)


def _number(value: Any) -> float:
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {value}")
    return float(value)


def read_predictions(path: Path) -> list[Prediction]:
    """The rows of predictions.csv; none where there is no such file.

    Raises:
        InputError: it is no such table.
    """
    if not path.is_file():
        return []
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
        wanted = {"key", "sign", "signer", "predicted_1"}
        if not wanted <= set(reader.fieldnames or ()):
            raise ValueError(f"expected the columns {sorted(wanted)}, found {reader.fieldnames}")
        ranked = [name for name in reader.fieldnames or () if name.startswith("predicted_")]
        rows = []
        for row in reader:
            if None in row.values() or None in row:
                raise ValueError(f"line {reader.line_num} has not as many cells as the head")
            predicted = tuple(row[name] for name in ranked if row[name])
            if not predicted:
                raise ValueError(f"line {reader.line_num} names no sign")
            rows.append(Prediction(row["key"], row["sign"], row["signer"], predicted))
        return rows
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path}: expected a table of predictions, found {error}; `slr probe` writes it again"
        ) from error
