"""Everything that a report shows, read once: the run, its log, its scores and its store."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from poseprep.errors import InputError
from poseprep.quality import Description, describe_store
from poseprep.store import KeypointStore
from sslmodel.checkpoint import DAMAGED, read_encoder, read_json
from sslmodel.config import ProbeConfig
from sslmodel.dataset import Dataset, load
from sslmodel.device import fabric_on
from sslmodel.features import encode
from sslmodel.linear import standardised
from sslmodel.probe import evaluation_split, probe
from sslmodel.report.scored import Scored, read_scored
from sslmodel.runlog import Record
from sslmodel.runs import Run, read_run
from sslmodel.split import without_copies


@dataclass(frozen=True)
class StoreFacts:
    """What the store holds, and what went wrong when it was made.

    Attributes:
        problems: reason → how many videos could not be stored whole.
    """

    path: Path
    made_by: str
    description: Description
    problems: dict[str, int]


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Every clip of the store as the run's encoder sees it.

    Attributes:
        features: (N, D), standardised on train.
        known: (N,) clips of train and val with a sign, whose points stand in no clip of test.
        test: (N,) clips of test with a sign.
    """

    dataset: Dataset
    features: Float[np.ndarray, "N D"]
    known: Bool[np.ndarray, " N"]
    test: Bool[np.ndarray, " N"]


@dataclass(frozen=True)
class Facts:
    """All of a report.

    Attributes:
        head: config.json: stores, device, versions.
        about: what encoder.json says of the training.
        scored: None where there are no scores; then `unscored` says why.
        store, embeddings: None where the store is not to be had; then `storeless` says why.
    """

    run: Run
    head: dict[str, Any]
    about: dict[str, Any]
    records: list[Record]
    scored: Scored | None
    unscored: str
    store: StoreFacts | None
    embeddings: Embeddings | None
    storeless: str

    @property
    def collapsed(self) -> bool:
        return bool(self.about.get("collapsed"))


def collect(run_folder: Path, store: Path | None = None, progress: bool = False) -> Facts:
    """Read a run and all that belongs to it; scores that are not there yet are made.

    Args:
        store: where the store lies now, where it was moved; or another store to score the run on.

    Raises:
        InputError: no such run, or a file of it is damaged.
    """
    run = read_run(run_folder)
    given = None
    if store is not None:
        with KeypointStore(store) as opened:
            given = opened.content_hash()
    folder = _scored_folder(run_folder, given)
    scored, unscored = None, ""
    if folder is None:
        try:
            folder = probe(run_folder, ProbeConfig(), store, progress).folder
        except InputError as error:  # such as a store without labels: the rest can be told
            unscored = str(error)
    if folder is not None:
        scored = read_scored(folder)
    hashes = {*run.splits, *([scored.store_sha256] if scored else []), *([given] if given else [])}
    where, storeless = _place_of_store(store or (scored.store if scored else run.stores[0]), hashes)
    facts = embeddings = None
    if where is not None:
        with KeypointStore(where) as opened:
            facts = _store_facts(opened)
        embeddings = _embeddings(run, where)
    return Facts(
        run=run,
        head=read_json(run_folder / "config.json"),
        about=dict(read_json(run_folder / "encoder.json").get("about") or {}),
        records=read_log(run_folder / "log.jsonl"),
        scored=scored,
        unscored=unscored,
        store=facts,
        embeddings=embeddings,
        storeless=storeless,
    )


def read_log(path: Path) -> list[Record]:
    """The epochs of a training; InputError where a line is none of a log."""
    records = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            values = json.loads(line)
            records.append(Record(**values))
            # What is drawn must be numbers.
            numbers = (values["epoch"], values["spread"], values["rank"], *values["terms"].values())
            if not np.isfinite([float(number) for number in numbers]).all():
                raise ValueError(f"expected finite numbers, found {line[:80]}")
    except (OSError, *DAMAGED) as error:
        raise InputError(
            f"{path}: expected one line of JSON for each epoch, found {error}; "
            "copy it again or run `slr pretrain` again"
        ) from error
    if not records:
        raise InputError(f"{path}: holds no epoch; run `slr pretrain` again")
    return records


def _scored_folder(run_folder: Path, store: str | None) -> Path | None:
    """Where scores on test lie: those of this store (its content hash), else the run's own.

    Where the run's own are not there, as with several stores, the newest others.
    """
    own = run_folder / "probe"
    others = [path.parent for path in own.glob("*/scores.json")]
    others.sort(key=lambda folder: (folder / "scores.json").stat().st_mtime, reverse=True)
    found = [own] if (own / "scores.json").is_file() else []
    for folder in [*found, *others]:
        said = read_json(folder / "scores.json")
        about = said.get("store")
        sha256 = about.get("sha256") if isinstance(about, dict) else None
        of_test = folder == own or said.get("part") == "test"
        if of_test and store in (None, sha256):
            return folder
    return None


def _place_of_store(path: Path, hashes: set[str]) -> tuple[Path | None, str]:
    """Where the store lies; or None, and why it is not to be had."""
    if not path.is_file():
        return None, f"{path} is not there any more; give --store to say where it is"
    with KeypointStore(path) as opened:
        if opened.content_hash() in hashes:
            return path, ""
    return None, f"{path} is not any more as it was; `slr probe` scores it as it is now"


def _store_facts(store: KeypointStore) -> StoreFacts:
    made_by = (str(store.landmarker.get(name, "")) for name in ("name", "version"))
    return StoreFacts(
        path=store.path,
        made_by=" ".join(filter(None, made_by)),
        description=describe_store(store),
        problems=dict(Counter(problem.reason for problem in store.problems).most_common()),
    )


def _embeddings(run: Run, store: Path) -> Embeddings:
    encoder, settings = read_encoder(run.folder)
    dataset = load(store, encoder.skeleton, settings)
    features = encode(encoder, dataset, fabric_on("auto").device)
    _, split, _ = evaluation_split(run, dataset, ProbeConfig())
    split, _ = without_copies(split, dataset.digests, dataset.person)
    labelled = dataset.signs != ""
    train = split.is_in("train")
    return Embeddings(
        dataset=dataset,
        features=standardised(features, train if train.any() else np.ones(len(dataset), bool)),
        known=(train | split.is_in("val")) & labelled,
        test=split.is_in("test") & labelled,
    )
