"""How well lost hands are recovered, on drawn clips: hard ones, and ordinary ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from poseprep.clip import DETECTED, MISSING, RECOVERED, Clip
from poseprep.landmarkers import LANDMARKERS, follow
from poseprep.signer.corpus import Corpus, Take, draw_take
from poseprep.signer.hard import HARD, HardTake, draw_hard, hard_takes
from poseprep.signer.signs import SIGNS
from poseprep.skeleton import FINGERTIPS, HOLISTIC
from poseprep.workers import run_tasks

ORDINARY = "ordinary"
KINDS = (*HARD, ORDINARY)
_SIDES = ("left", "right")


@dataclass
class Recovery:
    """One kind of clip; hands are counted in every frame, left and right apart.

    Attributes:
        there: hands that are in the picture by the truth.
        detected: of those, how many the landmarker finds by itself.
        recovered: of the others, how many its second look finds.
        absent: hands that are not in the picture.
        invented: of those, how many are recovered all the same.
        swapped: recovered hands that lie nearer to the true other hand.
        errors: of the recovered hands' fingertips in the picture; 1.0 is a shoulder width.
    """

    kind: str
    there: int = 0
    detected: int = 0
    recovered: int = 0
    absent: int = 0
    invented: int = 0
    swapped: int = 0
    errors: list[float] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Hands that are there and were not found at first."""
        return self.there - self.detected

    def percentile(self, share: float) -> float:
        """Of the errors; NaN where nothing was recovered."""
        return float(np.percentile(self.errors, share)) if self.errors else float("nan")

    def __add__(self, other: Recovery) -> Recovery:
        sums = {name: getattr(self, name) + getattr(other, name) for name in vars(self)}
        return Recovery(**{**sums, "kind": self.kind})


def measure_recovery(
    signers: int = 4,
    seeds: Sequence[int] = (1, 2),
    workers: int = 1,
    kinds: Sequence[str] = KINDS,
    tick: Callable[[str], None] = lambda key: None,
) -> list[Recovery]:
    """A row for every kind of clip, in the order of their names, and one for all of them.

    Args:
        seeds: the thresholds were chosen on seed 0, so that it does not count.
        kinds: of KINDS.
        tick: told the key of each clip when it is done.
    """
    takes: list[HardTake | tuple[Take, int]] = []
    for seed in seeds:
        takes += [take for take in hard_takes(signers, seed) if take.kind in kinds]
        if ORDINARY in kinds:
            takes += [(Take(SIGNS[5 * i % len(SIGNS)], i), seed) for i in range(signers)]
    rows: dict[str, Recovery] = {}
    for report in run_tasks(_measurer, takes, workers):
        if not report.last:
            continue
        row = report.value
        rows[row.kind] = rows[row.kind] + row if row.kind in rows else row
        tick(row.kind)
    ordered = [rows[kind] for kind in sorted(rows)]
    return [*ordered, sum(ordered, Recovery("all"))]


def _measurer() -> Callable[[HardTake | tuple[Take, int]], Iterator[Recovery]]:
    landmarker = LANDMARKERS["mediapipe"](face="none", recover=True)

    def measure(take: HardTake | tuple[Take, int]) -> Iterator[Recovery]:
        if isinstance(take, HardTake):
            kind, (frames, truth) = take.kind, draw_hard(take)
        else:
            kind, (frames, truth) = ORDINARY, draw_take(take[0], Corpus(seed=take[1]))
        row = Recovery(kind)
        for i, found in enumerate(follow(landmarker, frames)):
            points = np.full_like(truth.points[i], np.nan)
            points[: len(found.points)] = found.points
            _count(row, truth, i, points, found.source)
        yield row

    return measure


def _count(row: Recovery, truth: Clip, frame: int, points: np.ndarray, source: np.ndarray) -> None:
    """One frame's hands, against the truth."""
    width = _distance(truth.points[frame], "left_shoulder", "right_shoulder")
    edge = truth.width / truth.height, 1.0
    for part, (side, other) in enumerate((_SIDES, _SIDES[::-1]), 1):
        if truth.source[frame, part] == MISSING:
            row.absent += 1
            row.invented += int(source[part] == RECOVERED)
            continue
        row.there += 1
        row.detected += int(source[part] == DETECTED)
        if source[part] != RECOVERED:
            continue
        row.recovered += 1
        hand, own, others = (
            array[HOLISTIC.parts[f"{name}_hand"], :2]
            for array, name in (
                (points, side),
                (truth.points[frame], side),
                (truth.points[frame], other),
            )
        )
        row.swapped += int(_apart(hand, others) < _apart(hand, own))  # never where NaN
        tips = HOLISTIC.indices(f"{side}_hand_{tip}" for tip in FINGERTIPS)
        true = truth.points[frame, tips, :2]
        inside = ((true >= 0) & (true <= edge)).all(axis=1)
        errors = np.linalg.norm(points[tips, :2] - true, axis=1) / width
        row.errors += errors[inside].tolist()


def _distance(points: np.ndarray, one: str, other: str) -> float:
    step = points[HOLISTIC.index(one), :2] - points[HOLISTIC.index(other), :2]
    return float(np.linalg.norm(step))


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other, axis=1).mean())
