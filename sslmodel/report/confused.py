"""Which signs are taken for which: counted once, then shown in several ways."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from sslmodel.report.scored import Prediction


@dataclass(frozen=True)
class OfSign:
    """How one sign fared.

    Attributes:
        asked, right: its test clips, and those that were named rightly.
        taken_for: the sign it was most often taken for instead, and how often; empty, 0 for never.
        wrongly_named: clips of other signs that were taken for it.
    """

    sign: str
    asked: int
    right: int
    taken_for: tuple[str, int]
    wrongly_named: int

    @property
    def share(self) -> float:
        """Of its clips named rightly, 0..1; 1 where there was none to name."""
        return self.right / self.asked if self.asked else 1.0


@dataclass(frozen=True)
class Pair:
    """Two signs, and how often clips of the first were taken for the second."""

    sign: str
    taken_for: str
    clips: int


@dataclass(frozen=True, eq=False)
class Matrix:
    """Which signs were taken for which.

    Attributes:
        counts: [i, j] clips of sign i that were taken for sign j.
        asked: test clips of each sign, those taken for signs outside the matrix included.
        left_out: wrongly named clips that are not in it.
    """

    signs: list[str]
    counts: Int[np.ndarray, "S S"]
    asked: Int[np.ndarray, " S"]
    left_out: int


def pairs(predictions: Sequence[Prediction]) -> list[Pair]:
    """Every pair that was confused, the most frequent first."""
    counted = Counter((p.sign, p.predicted[0]) for p in predictions if not p.right)
    found = [Pair(sign, other, clips) for (sign, other), clips in counted.items()]
    return sorted(found, key=lambda pair: (-pair.clips, pair.sign, pair.taken_for))


def by_sign(predictions: Sequence[Prediction]) -> list[OfSign]:
    """Every sign of test, the worst first; of equally bad ones that with more clips."""
    asked = Counter(p.sign for p in predictions)
    right = Counter(p.sign for p in predictions if p.right)
    wrongly = Counter(p.predicted[0] for p in predictions if not p.right)
    worst: dict[str, tuple[str, int]] = {}
    for pair in pairs(predictions):  # the most frequent comes first
        worst.setdefault(pair.sign, (pair.taken_for, pair.clips))
    rows = [
        OfSign(sign, clips, right[sign], worst.get(sign, ("", 0)), wrongly[sign])
        for sign, clips in asked.items()
    ]
    return sorted(rows, key=lambda row: (row.share, -row.asked, row.sign))


def matrix(predictions: Sequence[Prediction], most: int) -> Matrix:
    """The confusion of all signs, or of `most` of them: those of the most confused pairs.

    Signs that were only predicted have rows of zeros.
    """
    everyone = sorted({sign for p in predictions for sign in (p.sign, p.predicted[0])})
    ranked = dict.fromkeys(
        sign for pair in pairs(predictions) for sign in (pair.sign, pair.taken_for)
    )
    chosen = sorted([*ranked, *(sign for sign in everyone if sign not in ranked)][:most])
    place = {sign: i for i, sign in enumerate(chosen)}
    counts, left_out = np.zeros((len(chosen),) * 2, int), 0
    for p in predictions:
        if p.sign in place and p.predicted[0] in place:
            counts[place[p.sign], place[p.predicted[0]]] += 1
        else:
            left_out += not p.right
    of = Counter(p.sign for p in predictions)
    asked = np.array([of[sign] for sign in chosen], int)
    return Matrix(chosen, counts, asked, left_out)
