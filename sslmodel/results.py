"""What a score leaves behind: scores.json, predictions.csv, and a row in results.csv."""

import csv
import fcntl
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from poseprep.errors import InputError
from poseprep.files import write_whole
from sslmodel.checkpoint import write_json
from sslmodel.config import ProbeConfig
from sslmodel.dataset import Dataset
from sslmodel.runs import Run, versions
from sslmodel.task import Task

if TYPE_CHECKING:
    from sslmodel.probe import ProbeResult

RESULTS = "results.csv"
# In this order at the left of the table; scores follow, as they come.
_HEAD = ("when", "run", "objective", "seed", "store", "part", "clips", "signs", "times_scored")
_TAIL = ("split", "notes", "encoder_sha256", "store_sha256", "version")
_PREDICTED = 5


def write_results(
    result: "ProbeResult",
    run: Run,
    dataset: Dataset,
    task: Task,
    config: ProbeConfig,
    predicted: Float[np.ndarray, "M S"],
) -> int:
    """Write everything that a score stands on into `result.folder`, and a row of results.csv.

    Returns:
        How often this part of this store has now scored this encoder.

    Raises:
        OSError: a file cannot be written.
        InputError: results.csv is no such table.
    """
    encoder = hashlib.sha256((run.folder / "encoder.safetensors").read_bytes()).hexdigest()
    _write_predictions(result.folder / "predictions.csv", dataset, task, predicted)
    clips = Counter(dataset.signs[dataset.signs != ""].tolist())
    described = {
        "scores": [asdict(score) for score in result.scores],
        "differences": [asdict(difference) for difference in result.differences],
        "coverage": asdict(result.coverage),
        "intervals": result.intervals,
        "split": result.split,
        "notes": result.notes,
        "part": result.part,
        "run": str(run.folder),
        "encoder_sha256": encoder,
        "store": {
            "path": str(dataset.path.resolve()),
            "sha256": dataset.content_hash,
            "missing_points": list(dataset.missing),
        },
        "split_sha256": _split_hash(dataset, task),
        "clips_of_each_sign": dict(sorted(clips.items())),
        "config": asdict(config),
        "pretrain": asdict(run.config),
        "versions": versions(),
    }
    with counted_result(
        run.folder.resolve().parent / RESULTS, _row(result, run, dataset, encoder)
    ) as times:
        # Before the row is: what counts as scored has its scores.
        write_json(result.folder / "scores.json", {**described, "times_scored": times})
    return times


def _split_hash(dataset: Dataset, task: Task) -> str:
    """SHA-256 over the key, sign and part of every clip that was used, in the order of the keys."""
    digest = hashlib.sha256()
    for part in ("train", "val", "test"):
        for i in np.flatnonzero(getattr(task, part)):
            digest.update(f"{part}\0{dataset.keys[i]}\0{task.names[task.signs[i]]}\n".encode())
    return digest.hexdigest()


def _write_predictions(
    path: Path, dataset: Dataset, task: Task, predicted: Float[np.ndarray, "M S"]
) -> None:
    """Every test clip with the signs that the encoder took it for, the likeliest first."""
    likeliest = np.argsort(-predicted, axis=1, kind="stable")[:, :_PREDICTED]
    names = [f"predicted_{i + 1}" for i in range(_PREDICTED)]
    rows = []
    for i, order in zip(np.flatnonzero(task.test), likeliest, strict=True):
        signs = dict(zip(names, task.names[order].tolist(), strict=False))
        clip = {"key": dataset.keys[i], "sign": dataset.signs[i], "signer": dataset.signers[i]}
        rows.append({**clip, **signs})
    write_whole(path, _as_csv(["key", "sign", "signer", *names], rows))


def _row(result: "ProbeResult", run: Run, dataset: Dataset, encoder: str) -> dict[str, str]:
    figures = {}
    for score in result.scores:
        name = f"{score.measure} {score.labels}: {score.features}"
        metric = "top1" if "top1" in score.values else "map"
        figures[name] = f"{score.values[metric]:.4f}"
        if score.encoders:
            low, high = score.intervals[metric]
            figures[f"{name} (95 %)"] = f"{low:.4f}–{high:.4f}"
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "run": run.folder.name,
        "objective": run.config.objective,
        "seed": str(run.config.seed),
        "store": str(dataset.path),
        "part": result.part,
        "clips": f"{result.coverage.used} of {result.coverage.expected}",
        "signs": str(result.coverage.signs),
        "split": result.split,
        "notes": "; ".join(result.notes),
        "encoder_sha256": encoder,
        "store_sha256": dataset.content_hash,
        "version": versions()["slr-toolkit"],
        **figures,
    }


@contextmanager
def counted_result(path: Path, row: Mapping[str, str]) -> Iterator[int]:
    """Add a row to the table at the end of the block, where that is reached.

    The block knows how often this part of this store has now scored this encoder. Rows of several
    programs at once all arrive; the table is never half-written.
    """
    with _locked(path):
        rows = read_results(path) if path.exists() else []
        same = ("encoder_sha256", "store_sha256", "part")
        times = 1 + sum(all(old.get(name) == row[name] for name in same) for old in rows)
        yield times
        rows.append({**row, "times_scored": str(times)})
        known = dict.fromkeys(name for one in rows for name in one)
        figures = [name for name in known if name not in (*_HEAD, *_TAIL)]
        write_whole(path, _as_csv([*_HEAD, *figures, *_TAIL], rows))


def read_results(path: Path) -> list[dict[str, str]]:
    """The rows of a table of results; InputError where it is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: expected a table of results, found none that can be read ({error}); "
            "`slr probe` writes one"
        ) from error
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    if not {"run", "encoder_sha256", "store_sha256", "part"} <= set(reader.fieldnames or ()):
        raise InputError(
            f"{path}: not a table that `slr probe` wrote; move it away, and a new one is begun"
        )
    return [{name: value for name, value in row.items() if name} for row in reader]


def _as_csv(columns: list[str], rows: list[Any]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One writer at a time, where the file system has locks."""
    with open(path.with_name(f".{path.name}.lock"), "a") as lock:
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
