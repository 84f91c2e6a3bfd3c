"""How far two landmarkers lie apart on the same frames.

Nobody knows where the points of a real video truly are; that a landmarker gives what MediaPipe
gives can be measured on any video.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class Limits:
    """Up to where two landmarkers count as equal, in every part.

    Attributes:
        agreement: frames in which both find a part, or neither, at least, %.
        median, percentile95: of the distances, at most, % of the frame height.
    """

    agreement: float = 98.0
    median: float = 0.2
    percentile95: float = 1.0


class Part(NamedTuple):
    """A part in T frames; missing is NaN, and confidence 0. Units are those of `Clip`."""

    points: Float[np.ndarray, "T Vp 3"]
    confidence: Float[np.ndarray, "T Vp"]


class Compared(NamedTuple):
    """One part in T frames, as two landmarkers see it.

    Attributes:
        reference, candidate: whether the landmarker found it.
        equal: whether both found it, with the same bits in points and confidence.
        distances: in x and y, % of the frame height; NaN where not both found it.
    """

    reference: Bool[np.ndarray, " T"]
    candidate: Bool[np.ndarray, " T"]
    equal: Bool[np.ndarray, " T"]
    distances: Float[np.ndarray, "T Vp"]


class Apart(NamedTuple):
    """A frame, counted from 0, in which a point of a part lies far apart: % of the frame height."""

    video: str
    frame: int
    part: str
    distance: float


@dataclass(frozen=True)
class PartParity:
    """One part in all frames.

    Attributes:
        both, neither, only_reference, only_candidate: frames in which so many found it.
        equal: frames of `both` with the same bits.
        median, percentile95, largest: distance over all points of `both`, in x and y, % of the
            frame height; NaN where there is none.
    """

    part: str
    both: int
    neither: int
    only_reference: int
    only_candidate: int
    equal: int
    median: float
    percentile95: float
    largest: float

    @property
    def frames(self) -> int:
        return self.both + self.neither + self.only_reference + self.only_candidate

    @property
    def agreement(self) -> float:
        """Frames in which both found it or neither, %."""
        return 100 * (self.both + self.neither) / self.frames

    def lacks(self, limits: Limits) -> list[str]:
        """Which of the limits it does not keep, in words."""
        found = []
        if self.agreement < limits.agreement:
            found.append(f"agreement {self.agreement:.2f} %")
        # Not a number, where there is nothing to compare, is above no limit.
        if self.median > limits.median:
            found.append(f"median {self.median:.3f} %")
        if self.percentile95 > limits.percentile95:
            found.append(f"95th percentile {self.percentile95:.3f} %")
        return found


def compare(reference: Part, candidate: Part) -> Compared:
    """The same frames of one part, by two landmarkers.

    Raises:
        ValueError: a frame has some of the part's points, and not all.
    """
    one, other = map(_found, (reference, candidate))
    steps = (reference.points - candidate.points)[..., :2].astype(np.float64)
    return Compared(
        one,
        other,
        one & other & _same_bits(reference, candidate),
        100 * np.hypot(steps[..., 0], steps[..., 1]).astype(np.float32),
    )


def summarize(part: str, compared: Sequence[Compared]) -> PartParity:
    """Several stretches of one part as one row."""
    one, other, equal = (np.concatenate(each) for each in list(zip(*compared, strict=True))[:3])
    distances = np.concatenate([each.distances.ravel() for each in compared])
    distances = distances[~np.isnan(distances)]
    middle, high, largest = (
        np.percentile(distances, (50, 95, 100)) if len(distances) else [float("nan")] * 3
    )
    return PartParity(
        part,
        int((one & other).sum()),
        int((~one & ~other).sum()),
        int((one & ~other).sum()),
        int((~one & other).sum()),
        int(equal.sum()),
        *map(float, (middle, high, largest)),
    )


def furthest(compared: Mapping[str, Mapping[str, Compared]], most: int = 5) -> list[Apart]:
    """Of videos, and their parts: the frames in which a point lies furthest apart; worst first."""
    found = [
        apart
        for video, parts in compared.items()
        for part, seen in parts.items()
        for apart in _furthest(video, part, seen, most)
    ]
    return sorted(found, key=lambda apart: -apart.distance)[:most]


def _furthest(video: str, part: str, compared: Compared, most: int) -> list[Apart]:
    distances = np.nan_to_num(compared.distances, nan=-1.0).max(axis=1)
    order = np.argsort(-distances, kind="stable")[:most]
    return [Apart(video, int(t), part, float(distances[t])) for t in order if distances[t] > 0]


def _found(part: Part) -> Bool[np.ndarray, " T"]:
    there = ~np.isnan(part.points).any(axis=2)
    if (there.any(axis=1) != there.all(axis=1)).any():
        raise ValueError("expected all points of a part in a frame, or none; found some")
    return there.all(axis=1)


def _same_bits(one: Part, other: Part) -> Bool[np.ndarray, " T"]:
    same = [
        (np.ascontiguousarray(a).view(np.uint32) == np.ascontiguousarray(b).view(np.uint32))
        .reshape(len(a), -1)
        .all(axis=1)
        for a, b in zip(one, other, strict=True)
    ]
    return same[0] & same[1]
