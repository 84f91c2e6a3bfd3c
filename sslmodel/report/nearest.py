"""Which clips to show moving: queries with their nearest clips, and some that were confused."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sslmodel.neighbours import unit
from sslmodel.report.collect import Embeddings
from sslmodel.report.confused import pairs
from sslmodel.report.scored import Prediction

_SEED = 0
_TRIED = 200  # test clips among which right and wrong ones are looked for


@dataclass(frozen=True)
class Lookup:
    """A test clip and its nearest clips among those of train and val; places in the dataset.

    Attributes:
        cosines: of each of the nearest, falling.
    """

    query: int
    nearest: tuple[int, ...]
    cosines: tuple[float, ...]


@dataclass(frozen=True)
class Mistake:
    """A test clip that was named wrongly, beside the nearest clip of the sign it was taken for.

    Attributes:
        query, beside: places in the dataset.
        clips: how often this sign was taken for that one.
    """

    query: int
    beside: int
    clips: int


def lookups(
    embeddings: Embeddings, each: int, neighbours: int
) -> tuple[list[Lookup], list[Lookup]]:
    """Up to `each` queries whose nearest clip shows the same sign, and as many that miss.

    A query's own signer, where known, is left out of its index. Queries are drawn with a seed, of
    different signs as far as there are any.
    """
    data = embeddings.dataset
    asked = np.flatnonzero(embeddings.test & data.person)
    index = np.flatnonzero(embeddings.known & data.person)
    if not len(asked) or not len(index):
        return [], []
    units = unit(embeddings.features)
    drawn = np.random.default_rng(_SEED).permutation(asked)[:_TRIED]
    right: list[Lookup] = []
    wrong: list[Lookup] = []
    shown: tuple[set[str], set[str]] = (set(), set())
    for query in drawn.tolist():
        nearest, cosines = _nearest(units, data.signers, query, index, neighbours)
        if not len(nearest):
            continue
        hit = data.signs[nearest[0]] == data.signs[query]
        found, signs = (right, shown[0]) if hit else (wrong, shown[1])
        if len(found) < each and data.signs[query] not in signs:
            signs.add(data.signs[query])
            found.append(Lookup(query, tuple(nearest.tolist()), tuple(cosines.tolist())))
    return right, wrong


def mistakes(embeddings: Embeddings, predictions: Sequence[Prediction], most: int) -> list[Mistake]:
    """A clip of each of the most confused pairs, and the nearest one of the sign it was taken for.

    Pairs whose clips are not in the store, or are not learned from, are passed over.
    """
    data = embeddings.dataset
    units = unit(embeddings.features)
    row = {key: i for i, key in enumerate(data.keys)}
    clips = [p for p in predictions if not p.right and p.key in row]
    found = []
    for pair in pairs(predictions):
        index = np.flatnonzero(embeddings.known & data.person & (data.signs == pair.taken_for))
        asked = [
            row[p.key]
            for p in clips
            if (p.sign, p.predicted[0]) == (pair.sign, pair.taken_for) and data.person[row[p.key]]
        ]
        for query in asked[:1]:
            nearest, _ = _nearest(units, data.signers, query, index, 1)
            found += [Mistake(query, beside, pair.clips) for beside in nearest.tolist()]
        if len(found) >= most:
            break
    return found


def _nearest(
    units: Float[np.ndarray, "N D"],
    signers: np.ndarray,
    query: int,
    index: Int[np.ndarray, " I"],
    count: int,
) -> tuple[Int[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """The nearest clips of the index by another signer, by cosine, and their cosines."""
    if signers[query]:
        index = index[signers[index] != signers[query]]
    cosines = (units[index] @ units[query]).astype(np.float64)
    order = np.argsort(-cosines, kind="stable")[:count]
    return index[order], cosines[order]
