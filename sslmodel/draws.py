"""Few labels: which clips keep theirs. Every draw has at least one labelled clip of a sign."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class Draw:
    """The clips whose labels are known: `train` is learned from, `val` chooses."""

    train: Bool[np.ndarray, " N"]
    val: Bool[np.ndarray, " N"]

    @property
    def labelled(self) -> int:
        """How many labels were used, those for choosing included."""
        return int(self.train.sum() + self.val.sum())


def draw_fraction(
    signs: Int[np.ndarray, " N"],
    train: Bool[np.ndarray, " N"],
    val: Bool[np.ndarray, " N"],
    fraction: float,
    seed: int,
) -> Draw:
    """About this share of the labels of train, of every sign alike, and of val for choosing.

    The draws of one seed are nested: who is in 1 % is in 10 % too, which makes a curve smoother.
    Val keeps a clip at least, where it has any.
    """
    generator = np.random.default_rng(seed)
    place, first = _places(signs, train, generator)
    chosen = train & (first | (place < fraction))
    order = _places(np.zeros_like(signs), val, generator)
    return Draw(chosen, val & (order[1] | (order[0] < fraction)))


def draw_shots(
    signs: Int[np.ndarray, " N"], train: Bool[np.ndarray, " N"], shots: int, seed: int
) -> Draw:
    """So many clips of every sign of train, or all of a sign that has fewer; none to choose by."""
    generator = np.random.default_rng(seed)
    rank, _ = _ranks(signs, train, generator)
    return Draw(train & (rank < shots), np.zeros_like(train))


def _places(
    signs: Int[np.ndarray, " N"], among: Bool[np.ndarray, " N"], generator: np.random.Generator
) -> tuple[Float[np.ndarray, " N"], Bool[np.ndarray, " N"]]:
    """Each clip's place in 0..1 in a random order of its sign's clips, and who is the first.

    Each sign starts at a random place below its first step, so that a small share of many small
    signs comes out right on average.
    """
    rank, count = _ranks(signs, among, generator)
    start = generator.random(int(signs.max(initial=-1)) + 2)[signs]
    return (rank + start) / np.maximum(count, 1), rank == 0


def _ranks(
    signs: Int[np.ndarray, " N"], among: Bool[np.ndarray, " N"], generator: np.random.Generator
) -> tuple[Int[np.ndarray, " N"], Int[np.ndarray, " N"]]:
    """Each clip's rank in a random order of its sign's clips, and how many these are."""
    rank, count = np.zeros(len(signs), int), np.zeros(len(signs), int)
    order = generator.permutation(np.flatnonzero(among))
    order = order[np.argsort(signs[order], kind="stable")]
    _, starts, counts = np.unique(signs[order], return_index=True, return_counts=True)
    rank[order] = np.arange(len(order)) - np.repeat(starts, counts)
    count[order] = np.repeat(counts, counts)
    return rank, count
