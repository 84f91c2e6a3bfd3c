"""What is asked of frozen features, one function a measure; each asks all features alike.

`FeatureSets` are the rows of the table: name → one (N, D) array for each encoder, standardised on
train. The first row is what is measured, the others are what it is measured against.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from poseprep.errors import InputError
from sslmodel.config import ProbeConfig
from sslmodel.draws import Draw, draw_fraction, draw_shots
from sslmodel.linear import fit_linear, standardised
from sslmodel.metrics import Values, random_order, top_k
from sslmodel.neighbours import nearest_centroid, retrieve, vote
from sslmodel.phonology import Phonology, preferred
from sslmodel.scores import Answers
from sslmodel.split import Split, signer_out_split, within_signer_split
from sslmodel.task import Task

FeatureSets = Mapping[str, Sequence[Float[np.ndarray, "N D"]]]
# A classifier: features and the clips whose labels are known → (M, S) scores of the test clips.
Classifier = Callable[[Float[np.ndarray, "N D"], Draw], Float[np.ndarray, "M S"]]
# Told what is being done.
Step = Callable[[str], None]
PAIRS = "minimal pairs"


def labels_name(fraction: float) -> str:
    """As a person says it: 10 %."""
    return f"{100 * fraction:g} %"


def draws_of(task: Task, fraction: float, config: ProbeConfig) -> list[Draw]:
    """The draws of a share of the labels; all of them need one draw only."""
    if fraction >= 1:
        return [Draw(task.train, task.val)]
    seeds = range(config.seed, config.seed + config.draws)
    return [draw_fraction(task.signs, task.train, task.val, fraction, seed) for seed in seeds]


def linear(
    task: Task, features: FeatureSets, fraction: float, config: ProbeConfig, step: Step
) -> tuple[Answers, Float[np.ndarray, "M S"]]:
    """Linear evaluation with a share of the labels; and what the first row says with the last draw.

    The penalty is chosen on val, of which the same share is known.
    """
    penalties: dict[str, list[float]] = {}
    said: list[np.ndarray] = []

    def fitted(name: str) -> Classifier:
        def classify(x: Float[np.ndarray, "N D"], draw: Draw) -> Float[np.ndarray, "M S"]:
            step(f"linear evaluation, {labels_name(fraction)} of the labels: {name}")
            fit = fit_linear(x, task.signs, len(task.names), draw.train, draw.val, task.test)
            penalties.setdefault(name, []).append(fit.inverse_penalty)
            if name == next(iter(features)):
                said.append(fit.scores)
            return fit.scores

        return classify

    draws = draws_of(task, fraction, config)
    values = {name: _classified(task, xs, draws, fitted(name)) for name, xs in features.items()}
    answers = _answers("linear", labels_name(fraction), task, draws, values)
    return replace(answers, penalties=penalties), said[-1]


def minimal_pairs(
    task: Task, features: FeatureSets, phonology: Phonology, config: ProbeConfig, step: Step
) -> list[Answers]:
    """Linear evaluation asked again, of two signs only: those that differ in one parameter.

    One answer a parameter, about the test clips of signs that have such a partner in train; top1
    is the share of partners that are less likely than the clip's own sign.
    """
    said: dict[str, list[np.ndarray]] = {}
    for row, xs in features.items():
        step(f"minimal pairs: {row}")
        said[row] = [
            fit_linear(x, task.signs, len(task.names), task.train, task.val, task.test).scores
            for x in xs
        ]
    labelled = Draw(task.train, task.val)
    shown = np.isin(np.arange(len(task.names)), task.signs[labelled.train | labelled.val])
    answers = []
    for parameter, pairs in phonology.pairs(task.names).items():
        partners = pairs & shown
        asked = partners[task.truth].any(axis=1)
        if not asked.any():
            continue
        values = {
            row: {"top1": np.stack([preferred(s, task.truth, partners)[asked] for s in scores])}
            for row, scores in said.items()
        }
        answers.append(
            Answers(
                PAIRS,
                parameter,
                labelled.labelled,
                1.0,
                _one_draw(values),
                task.truth[asked],
                task.signers[task.test][asked],
                {"top1": 0.5, "per_sign": 0.5},
            )
        )
    return answers


def _one_draw(values: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, Values]]:
    """(E, M) of every row and metric to (E, 1, M)."""
    return {row: {m: v[:, None] for m, v in of_row.items()} for row, of_row in values.items()}


def with_row(answers: Answers, name: str, values: dict[str, Values]) -> Answers:
    """The same question with one more row, that was asked about the same clips and draws."""
    return replace(answers, values={**answers.values, name: values})


def trained(
    task: Task,
    train: Mapping[str, Callable[[Draw, int], Float[np.ndarray, "M S"]]],
    measure: str,
    fraction: float,
    config: ProbeConfig,
    step: Step,
) -> Answers:
    """What is trained with a share of the labels: each row's training, by draw and seed."""
    draws = draws_of(task, fraction, config)
    values = {}
    for name, fit in train.items():
        hits = []
        for i, draw in enumerate(draws):
            step(f"{measure}, {labels_name(fraction)} of the labels: {name}, {i + 1}/{len(draws)}")
            scores = fit(draw, config.seed + i)
            hits.append([top_k(scores, task.truth, k) for k in (1, 5)])
        of_metrics = np.array(hits, np.float64).transpose(1, 0, 2)[:, None]  # (2, E, L, M)
        values[name] = dict(zip(("top1", "top5"), of_metrics, strict=True))
    return _answers(measure, labels_name(fraction), task, draws, values)


def nearest_neighbours(task: Task, features: FeatureSets, config: ProbeConfig) -> Answers:
    """kNN by cosine among all labelled clips of train and val."""

    def classify(x: Float[np.ndarray, "N D"], draw: Draw) -> Float[np.ndarray, "M S"]:
        known = draw.train | draw.val
        return vote(x, task.signs, len(task.names), known, task.test, config.neighbours)

    draws = draws_of(task, 1.0, config)
    values = {name: _classified(task, xs, draws, classify) for name, xs in features.items()}
    return _answers("kNN", "100 %", task, draws, values)


def few_shots(task: Task, features: FeatureSets, shots: int, config: ProbeConfig) -> Answers:
    """The nearest centroid of so many labelled clips a sign, drawn from train and val."""

    def classify(x: Float[np.ndarray, "N D"], draw: Draw) -> Float[np.ndarray, "M S"]:
        return nearest_centroid(x, task.signs, len(task.names), draw.train, task.test)

    known = task.train | task.val
    clips = np.bincount(task.signs[known])
    # Where no sign has more clips, every draw is the same.
    draws = 1 if clips.max() <= shots else config.draws
    drawn = [draw_shots(task.signs, known, shots, config.seed + i) for i in range(draws)]
    values = {name: _classified(task, xs, drawn, classify) for name, xs in features.items()}
    few = "at most " if clips[clips > 0].min() < shots else ""
    return _answers("nearest centroid", f"{few}{shots} a sign", task, drawn, values)


def retrieval(task: Task, features: FeatureSets) -> Answers:
    """Every test clip looked up among the labelled clips of train and val, by other signers."""
    index = task.train | task.val
    values: dict[str, dict[str, np.ndarray]] = {}
    for name, xs in features.items():
        found = [retrieve(x, task.signs, task.signers, index, task.test) for x in xs]
        values[name] = {m: np.stack([one[m] for one in found]) for m in found[0]}
    labelled = Draw(task.train, task.val)
    answers = _answers("retrieval", "100 %", task, [labelled], _one_draw(values))
    return replace(answers, chance=random_order(*index_sizes(task)))


def signer_folds(task: Task, config: ProbeConfig) -> list[Task]:
    """One task a signer, whose clips are asked of what the others' teach.

    The parts of `task` are dropped: the encoder may have seen any of these clips, without labels.
    Clips whose signer is not known are left out: they may be the asked signer's.

    Raises:
        InputError: fewer than two signers are known.
    """
    used = (task.train | task.val | task.test) & (task.signers != "")
    signers = sorted(set(task.signers[used]))
    if len(signers) < 2:
        raise InputError(
            f"--leave-one-signer-out: expected two signers or more, found {len(signers)} known; "
            "give the store's clips their signers with `slr label`, or leave the option out"
        )
    splits = [
        signer_out_split(task.signs, task.signers, used, signer, config.split_seed)
        for signer in signers
    ]
    return [_with_parts(task, split) for split in splits]


def leave_one_signer_out(folds: Sequence[Task], features: FeatureSets, step: Step) -> Answers:
    """Every clip is asked of a classifier that learned from all other signers (`signer_folds`)."""
    values: dict[str, dict[str, Values]] = {}
    for name, xs in features.items():
        step(f"leave one signer out, {len(folds)} signers: {name}")
        of_folds = [_fold(fold, xs) for fold in folds]
        values[name] = {
            m: np.concatenate([one[m] for one in of_folds], axis=2) for m in of_folds[0]
        }
    order = np.concatenate([np.flatnonzero(fold.test) for fold in folds])
    labelled = float(np.mean([(fold.train | fold.val).sum() for fold in folds]))
    return Answers(
        "leave one signer out",
        "100 %",
        labelled,
        labelled / len(order),
        values,
        folds[0].signs[order],
        folds[0].signers[order],
        _chance(len(folds[0].names)),
    )


def signer_task(task: Task, config: ProbeConfig) -> Task:
    """The question who signs: each signer's clips divided into train, val and test.

    Raises:
        InputError: fewer than two known signers, or none with two clips or more.
    """
    used = (task.train | task.val | task.test) & (task.signers != "")
    names = np.unique(task.signers[used].astype(str))
    number = {name: i for i, name in enumerate(names.tolist())}
    who = np.array([number.get(name, -1) for name in task.signers], int)
    split = within_signer_split(task.signers, used, config.split_seed)
    people = _with_parts(replace(task, names=names, signs=who), split)
    if len(names) < 2 or not people.test.any():
        raise InputError(
            "--signer-probe: expected two signers or more with several clips each, found "
            f"{len(names)} known with {int(used.sum())} clips; give the store's clips their "
            "signers with `slr label`, or leave the option out"
        )
    return people


def signer_probe(people: Task, features: FeatureSets, step: Step) -> Answers:
    """How well a linear classifier tells who signs (`signer_task`): what gives people away."""
    step("who signs")
    values = {name: _fold(people, xs) for name, xs in features.items()}
    return _answers("who signs", "100 %", people, [Draw(people.train, people.val)], values)


def _with_parts(task: Task, split: Split) -> Task:
    train, val, test = (split.is_in(part) for part in ("train", "val", "test"))
    return replace(task, train=train, val=val, test=test)


def _fold(task: Task, features: Sequence[Float[np.ndarray, "N D"]]) -> dict[str, Values]:
    """Linear evaluation of a task that has parts of its own, and so a scale of its own."""

    def classify(x: Float[np.ndarray, "N D"], draw: Draw) -> Float[np.ndarray, "M S"]:
        x = standardised(x, task.train)
        signs, classes = task.signs, len(task.names)
        return fit_linear(x, signs, classes, draw.train, draw.val, task.test).scores

    return _classified(task, features, [Draw(task.train, task.val)], classify)


def _classified(
    task: Task,
    features: Sequence[Float[np.ndarray, "N D"]],
    draws: Sequence[Draw],
    classify: Classifier,
) -> dict[str, Values]:
    """Top-1 and top-5 of every encoder with every draw."""
    hits = np.array(
        [
            [[top_k(scores, task.truth, k) for k in (1, 5)] for scores in of_draws]
            for of_draws in ([classify(x, draw) for draw in draws] for x in features)
        ],
        np.float64,
    )  # (E, L, 2, M)
    return {"top1": hits[:, :, 0], "top5": hits[:, :, 1]}


def _answers(
    measure: str,
    labels: str,
    task: Task,
    draws: Sequence[Draw],
    values: dict[str, dict[str, Values]],
) -> Answers:
    labelled = float(np.mean([draw.labelled for draw in draws]))
    return Answers(
        measure,
        labels,
        labelled,
        labelled / int((task.train | task.val).sum()),
        values,
        task.truth,
        task.signers[task.test],
        _chance(len(task.names)),
    )


def _chance(signs: int) -> dict[str, float]:
    return {"top1": 1 / signs, "top5": min(5, signs) / signs, "per_sign": 1 / signs}


def index_sizes(task: Task) -> tuple[Int[np.ndarray, " M"], Int[np.ndarray, " M"]]:
    """How many clips `retrieval` looks each test clip up among, and how many show its sign."""
    index = task.train | task.val
    of_sign = np.bincount(task.signs[index], minlength=len(task.names))
    of_signer = Counter(task.signers[index].tolist())
    of_both = Counter(zip(task.signers[index].tolist(), task.signs[index].tolist(), strict=True))
    who, signs = task.signers[task.test].tolist(), task.truth.tolist()
    # A signer who is not known is nobody's own.
    own = np.array([of_signer[w] if w else 0 for w in who], int)
    own_sign = np.array([of_both[w, s] if w else 0 for w, s in zip(who, signs, strict=True)], int)
    total, relevant = index.sum() - own, of_sign[task.truth] - own_sign
    return total, relevant
