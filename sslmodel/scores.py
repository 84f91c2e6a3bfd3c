"""Scores with their intervals, and what they lead by, from the answers for every test clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from sslmodel.metrics import Bootstrap, Interval, Values, mean_per_sign

# With fewer signers in test, drawing them says little of how people differ.
_FEWEST_SIGNERS = 5
# What is compared: of classifiers the first choice, of retrieval the whole order.
_COMPARED = ("top1", "map")


@dataclass(frozen=True, eq=False)
class Answers:
    """What several features answer to the same question about M test clips.

    Attributes:
        measure: how it was asked, such as "linear".
        labels: which labels were known, such as "10 %".
        labelled: how many clips that was, the mean over the draws.
        share: of the labels of train and val.
        values: features → metric (top1, top5, or r1, r5, map) → (E, L, M) values in 0..1.
        truth, signers: of the test clips; `truth` as numbers.
        chance: metric → what guessing gives.
        penalties: features → the inverse penalties that val chose.
    """

    measure: str
    labels: str
    labelled: float
    share: float
    values: dict[str, dict[str, Values]]
    truth: Int[np.ndarray, " M"]
    signers: np.ndarray
    chance: dict[str, float]
    penalties: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """One row of the table. Shares in 0..1; intervals are 95 %.

    Attributes:
        measure, labels, labelled, share: as in `Answers`.
        values, intervals: of top1, top5 and per_sign, or of r1, r5 and map.
        encoders: that the row is the mean of; 0 for chance.
        draws: of the labels, that it is the mean of.
        resampled: what the intervals come from, such as clips or signers.
    """

    measure: str
    features: str
    labels: str
    labelled: float
    share: float
    values: dict[str, float]
    intervals: dict[str, Interval]
    encoders: int = 1
    draws: int = 1
    inverse_penalties: tuple[float, ...] = ()
    resampled: str = ""


@dataclass(frozen=True)
class Difference:
    """The first features' value minus another's, paired; the interval is 95 %."""

    measure: str
    labels: str
    against: str
    metric: str
    value: float
    interval: Interval


def score(
    asked: Sequence[Answers], resamples: int, seed: int
) -> tuple[list[Score], list[Difference]]:
    """Every row's score, and the lead of each first row over the others."""
    scores: list[Score] = []
    differences: list[Difference] = []
    bootstrap, drawn_for = None, b""
    for answers in asked:
        units, how = units_of(answers.signers)
        # Many questions in a row are about the same clips; drawing for many clips takes a while.
        same = units.tobytes() + answers.truth.tobytes()
        if bootstrap is None or same != drawn_for:
            bootstrap, drawn_for = Bootstrap.draw(units, answers.truth, resamples, seed), same
        scores += [_score(answers, name, bootstrap, how) for name in answers.values]
        scores.append(_chance(answers))
        differences += _differences(answers, bootstrap)
    return scores, differences


def compared(answers: Answers) -> str:
    """The metric by which features are compared."""
    first = next(iter(answers.values.values()))
    return next(name for name in _COMPARED if name in first)


def units_of(signers: np.ndarray) -> tuple[Int[np.ndarray, " M"], str]:
    """The unit that each test clip is drawn with, and how to tell it.

    Clips of one signer are alike, so signers are drawn where there are enough of them.
    """
    many = len(set(signers))
    if (signers != "").all() and many >= _FEWEST_SIGNERS:
        units = np.unique(signers.astype(str), return_inverse=True)[1]
        return units, f"{many} signers with all their clips"
    return np.arange(len(signers)), f"{len(signers)} clips, as if each had its own signer"


def told_resampling(resampled: Mapping[str, str]) -> str:
    """Measure → what was resampled for it, as one sentence: the first one's, then what differs."""
    first = next(iter(resampled.values()))
    others = [f"of {measure}, {how}" for measure, how in resampled.items() if how != first]
    return "; ".join([f"bootstrap over {first}", *others])


def _score(answers: Answers, features: str, bootstrap: Bootstrap, resampled: str) -> Score:
    found = answers.values[features]
    values = {metric: float(of.mean()) for metric, of in found.items()}
    intervals = {metric: bootstrap.mean(of) for metric, of in found.items()}
    if "top1" in found:
        values["per_sign"] = mean_per_sign(found["top1"].mean(axis=(0, 1)), answers.truth)
        intervals["per_sign"] = bootstrap.mean_per_sign(found["top1"])
    encoders, draws, _ = next(iter(found.values())).shape
    return Score(
        measure=answers.measure,
        features=features,
        labels=answers.labels,
        labelled=answers.labelled,
        share=answers.share,
        values=values,
        intervals=intervals,
        encoders=encoders,
        draws=draws,
        inverse_penalties=tuple(answers.penalties.get(features, ())),
        resampled=resampled,
    )


def _chance(answers: Answers) -> Score:
    sure = {metric: (value, value) for metric, value in answers.chance.items()}
    return Score(
        answers.measure, "chance", answers.labels, 0, 0, answers.chance, sure, encoders=0, draws=0
    )


def _differences(answers: Answers, bootstrap: Bootstrap) -> list[Difference]:
    first, *others = answers.values
    metric = compared(answers)
    a = answers.values[first][metric]
    return [
        Difference(
            answers.measure,
            answers.labels,
            other,
            metric,
            float(a.mean() - answers.values[other][metric].mean()),
            bootstrap.difference(a, answers.values[other][metric]),
        )
        for other in others
    ]
