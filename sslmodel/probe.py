"""probe(): how good is a frozen encoder? Every score beside its baselines, and what it covers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from tqdm import tqdm

from poseprep.errors import InputError
from poseprep.options import check
from poseprep.wording import count, some
from sslmodel import measures
from sslmodel.checkpoint import read_encoder
from sslmodel.config import ProbeConfig
from sslmodel.dataset import Dataset, load
from sslmodel.device import fabric_on
from sslmodel.draws import Draw
from sslmodel.encoder import Encoder
from sslmodel.features import encode, raw_coordinates
from sslmodel.finetune import fine_tune
from sslmodel.linear import standardised
from sslmodel.phonology import Phonology, read_phonology
from sslmodel.plots import plot_confusion
from sslmodel.results import write_results
from sslmodel.runs import Run, read_run
from sslmodel.scores import Answers, Difference, Score, score, told_resampling
from sslmodel.split import Split, development, keep_parts, make_split
from sslmodel.task import Coverage, Task, make_task

ENCODER, UNTRAINED, RAW = "encoder", "untrained encoder", "raw coordinates"
SUPERVISED = "trained from scratch"


@dataclass(frozen=True)
class ProbeResult:
    """What `slr probe` prints; scores.json holds the same and the settings.

    Attributes:
        part: "test", or "val" where figures only choose.
        intervals: what was resampled to get them.
        folder: where the files lie.
        answers: what the scores are made of, clip by clip.
        times_scored: how often this part of this store has now scored this encoder.
    """

    scores: list[Score]
    differences: list[Difference]
    intervals: str
    coverage: Coverage
    split: str
    notes: list[str]
    run: Path
    store: Path
    part: str
    folder: Path
    answers: list[Answers]
    times_scored: int = 1

    def score(self, measure: str, labels: str = "100 %", features: str = ENCODER) -> Score:
        """One row; raises KeyError where it was not asked for."""
        for row in self.scores:
            if (row.measure, row.labels, row.features) == (measure, labels, features):
                return row
        raise KeyError((measure, labels, features))


def probe(
    run_folder: Path, config: ProbeConfig, store: Path | None = None, progress: bool = False
) -> ProbeResult:
    """Score a run's encoder on a store, by default the one it was trained on.

    The split is the run's own where the run learned from this store, so that no clip of val or
    test was seen in pretraining; else a fresh one, in which clips that the run knows keep their
    part. Writes scores.json, predictions.csv and confusion.png into the run's folder probe/ (for
    another store, into a folder of its own below it), and a row of results.csv beside the run.

    Raises:
        InputError: a setting is not allowed, no such run or store, other points, signers who stand
            in several parts, or labels that allow no score.
    """
    check(config)
    phonology = read_phonology(config.phonology) if config.phonology else None
    run = read_run(run_folder)
    encoder, settings = read_encoder(run_folder)
    dataset = load(store or own_store(run), encoder.skeleton, settings)
    own, split, notes = evaluation_split(run, dataset, config)
    task, coverage, remarks = make_task(dataset, split, config.allow_signer_leak)
    notes += remarks
    if phonology:
        notes.append(_pairs_note(phonology, task, config))
    alone = int((measures.index_sizes(task)[0] == 0).sum())
    if alone:
        notes.append(
            f"{count(alone, 'test clip')} cannot be looked up (retrieval counts them as missed): "
            "train and val have no clip by another signer"
        )
    notes += dataset.remarks
    with _bar(progress) as step:
        answers, predicted = _ask(run, encoder, dataset, task, phonology, config, step)
    scores, differences = score(answers, config.resamples, config.seed)
    folder = run_folder / "probe"
    if config.part != "test":
        folder = folder / config.part
    if not own or len(run.stores) > 1:
        folder = folder / f"{dataset.path.stem}-{dataset.content_hash[:8]}"
    result = ProbeResult(
        scores=scores,
        differences=differences,
        intervals=told_resampling({s.measure: s.resampled for s in scores if s.encoders}),
        coverage=coverage,
        split=split.how,
        notes=notes,
        run=run_folder,
        store=dataset.path,
        part=config.part,
        folder=folder,
        answers=answers,
    )
    top1 = result.score("linear", labels_of_all(config)).values["top1"]
    title = f"{run_folder.name}: top-1 {top1:.1%} of {len(task.truth)} test clips"
    counts = confusion(predicted, task.truth)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        plot_confusion(counts, task.names.tolist(), folder / "confusion.png", title)
        times = write_results(result, run, dataset, task, config, predicted)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error}); make room there, and probe again"
        ) from error
    return replace(result, times_scored=times)


def labels_of_all(config: ProbeConfig) -> str:
    """The largest share of the labels that is asked for: what predictions are made with."""
    return measures.labels_name(max(config.fractions, default=1.0))


def own_store(run: Run) -> Path:
    """The store that a run learned from; InputError where there are several, or it is gone."""
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


def evaluation_split(
    run: Run, dataset: Dataset, config: ProbeConfig
) -> tuple[bool, Split, list[str]]:
    """Whether the run learned from this very store, the split to score it by, and what to tell.

    No clip that was trained on stands in val or test, unless the run learned from all clips.
    """
    split, notes = run.split_of(dataset), []
    own = split is not None
    known = run.parts_of(dataset)
    if split is not None:
        # Where the labels give no val, val was cut from their train.
        cut = "val" not in dataset.splits
        part = np.where(cut & (split.part == "val"), "train", split.part)
        changed = int(((dataset.splits != "") & (dataset.splits != part)).sum())
        if changed:
            notes.append(
                f"the run's own split is used, as its labels were then; those of {dataset.path} "
                f"now differ for {count(changed, 'clip')}. Pretrain again to go by them"
            )
    if split is None:
        split = make_split(dataset.signs, dataset.signers, dataset.splits, config.split_seed)
        if (known != "").any():
            split = keep_parts(split, known, dataset.signers)
            notes.append(
                f"{dataset.path} is not as the run saw it: {int((known != '').sum())} of its "
                f"{len(dataset)} clips were in the run and keep their part, the others were "
                "split afresh, each with its signer"
            )
        else:
            notes.append(f"the run did not learn from {dataset.path}: this store was split afresh")
        met = sorted(set(dataset.signers[split.is_in("test")]) & run.train_signers)
        if met:
            notes.append(
                f"{count(len(met), 'signer')} of test have the name of one whom pretraining saw "
                f"({some(met)}): if they are the same "
                "people, this score is not signer-independent"
            )
    if run.config.all_clips and (own or (known != "").any()):
        notes.append("transductive: pretraining saw every clip (without labels), test included")
    if config.part == "val":
        split = development(split, dataset.signs, dataset.signers, config.split_seed)
        notes.append("scored on val: these figures choose, they are no result")
    return own, split, notes


def _ask(
    run: Run,
    encoder: Encoder,
    dataset: Dataset,
    task: Task,
    phonology: Phonology | None,
    config: ProbeConfig,
    step: measures.Step,
) -> tuple[list[Answers], Float[np.ndarray, "M S"]]:
    """Every measure that the settings name; and what the encoder says with the most labels."""
    device = fabric_on(config.accelerator).device
    # What cannot be asked is told before anything is computed.
    people = measures.signer_task(task, config) if config.signer_probe else None
    folds = measures.signer_folds(task, config) if config.leave_one_signer_out else []
    seeds = range(run.config.seed, run.config.seed + config.untrained_seeds)
    fresh = [encoder.untrained(seed) for seed in seeds] if config.baselines else []
    step("embedding")
    found = {ENCODER: [encode(encoder, dataset, device)]}
    if config.baselines:
        found[UNTRAINED] = [encode(other, dataset, device) for other in fresh]
        found[RAW] = [raw_coordinates(dataset)]
    features = {name: [standardised(x, task.train) for x in xs] for name, xs in found.items()}
    # The most labels first: what these give is what predictions are made of.
    fractions = sorted(set(config.fractions) or {1.0}, reverse=True)
    fits = [measures.linear(task, features, fraction, config, step) for fraction in fractions]
    trained = _with_labels(run, encoder, dataset, task, config, fractions, device, step)
    answers = [asked for asked, _ in fits]
    if config.supervised:  # the same clips and draws: a row beside the linear ones
        pairs = zip(answers, trained, strict=True)
        answers = [measures.with_row(a, SUPERVISED, t.values[SUPERVISED]) for a, t in pairs]
    if config.finetune != "none":
        answers += trained
    answers.append(measures.nearest_neighbours(task, features, config))
    answers += [measures.few_shots(task, features, k, config) for k in sorted(set(config.shots))]
    answers.append(measures.retrieval(task, features))
    if phonology:
        answers += measures.minimal_pairs(task, features, phonology, config, step)
    if people is not None:
        answers.append(measures.signer_probe(people, features, step))
    if folds:
        answers.append(measures.leave_one_signer_out(folds, features, step))
    return answers, fits[0][1]


def _pairs_note(phonology: Phonology, task: Task, config: ProbeConfig) -> str:
    """How many minimal pairs there are; InputError where the table is of other signs."""
    if not np.isin(phonology.signs, task.names).any():
        raise InputError(
            f"{config.phonology}: names none of the signs that are scored, such as "
            f"{task.names[0]!r}; the column sign must have the store's names"
        )
    pairs = phonology.pairs(task.names).items()
    counted = ", ".join(f"{name} {found.sum() // 2}" for name, found in pairs)
    return f"minimal pairs of {config.phonology} among these signs: {counted}"


def _with_labels(
    run: Run,
    encoder: Encoder,
    dataset: Dataset,
    task: Task,
    config: ProbeConfig,
    fractions: Sequence[float],
    device: torch.device,
    step: measures.Step,
) -> list[Answers]:
    """Fine-tuning, and the same encoder trained from nothing, with the same shares of labels."""

    def fit(fresh: bool, draw: Draw, of_draw: int) -> Float[np.ndarray, "M S"]:
        # Runs of several seeds are trained from several beginnings, as their encoders are.
        seed = run.config.seed + of_draw
        return fine_tune(
            encoder.untrained(seed) if fresh else encoder,
            dataset,
            task.signs,
            len(task.names),
            draw.train | draw.val,
            task.test,
            config.tune,
            run.config.views,
            seed,
            device,
            "whole" if fresh else config.finetune,
        )

    wanted = {}
    if config.finetune != "none":
        wanted[ENCODER] = partial(fit, False)
    if config.supervised:
        wanted[SUPERVISED] = partial(fit, True)
    if not wanted:
        return []
    measure = f"fine-tuned ({config.finetune})"
    return [measures.trained(task, wanted, measure, f, config, step) for f in fractions]


def confusion(
    scores: Float[np.ndarray, "M S"], truth: Int[np.ndarray, " M"]
) -> Int[np.ndarray, "S S"]:
    """Rows are the true signs, columns what was predicted."""
    counts = np.zeros((scores.shape[1],) * 2, int)
    np.add.at(counts, (truth, scores.argmax(axis=1)), 1)
    return counts


@contextmanager
def _bar(shown: bool) -> Iterator[measures.Step]:
    """A line that says what is being done; gone when all is done."""
    # Only on a terminal: a file would keep every line.
    quiet = None if shown else True
    with tqdm(disable=quiet, leave=False, dynamic_ncols=True, bar_format="{desc}") as bar:
        yield lambda what: bar.set_description_str(what)
