"""What nearness alone tells: k nearest neighbours, nearest centroids, and retrieval by a query.

All by cosine, on features standardised on train. Nothing is fitted, so nothing is chosen.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from sslmodel.metrics import average_precision

# Queries at a time: 20,000 clips of an index are then 20 MB.
_QUERIES = 256


def vote(
    features: Float[np.ndarray, "N D"],
    signs: Int[np.ndarray, " N"],
    classes: int,
    train: Bool[np.ndarray, " N"],
    test: Bool[np.ndarray, " N"],
    neighbours: int,
) -> Float[np.ndarray, "M S"]:
    """How many of a test clip's nearest train clips are of each sign; −inf where none is.

    Of two signs with as many votes the one whose clips are nearer wins.
    """
    index, of_index = unit(features[train]), signs[train]
    count = min(neighbours, len(index))
    scores = []
    for similarity in _blocks(unit(features[test]), index):
        # A stable order: of two clips that are equally near, the first.
        nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
        near = np.take_along_axis(similarity, nearest, axis=1)
        votes = np.full((len(nearest), classes), -np.inf)
        rows = np.arange(len(nearest))[:, None]
        votes[rows, of_index[nearest]] = 0
        # Cosines are at most 1 apart from one another, so nearness never outweighs a vote.
        np.add.at(votes, (rows, of_index[nearest]), 1 + near / (2 * count))
        scores.append(votes)
    return np.concatenate(scores)


def nearest_centroid(
    features: Float[np.ndarray, "N D"],
    signs: Int[np.ndarray, " N"],
    classes: int,
    train: Bool[np.ndarray, " N"],
    test: Bool[np.ndarray, " N"],
) -> Float[np.ndarray, "M S"]:
    """The cosine to the mean of each sign's train clips, each of length 1.

    What SimpleShot does with a few clips a sign (Wang et al., arXiv 1911.04623, CL2N).
    """
    total = np.zeros((classes, features.shape[1]), np.float64)
    np.add.at(total, signs[train], unit(features[train]))
    scores = unit(features[test]) @ unit(total).T
    scores[:, np.bincount(signs[train], minlength=classes) == 0] = -np.inf
    return scores


def retrieve(
    features: Float[np.ndarray, "N D"],
    signs: Int[np.ndarray, " N"],
    signers: np.ndarray,
    index: Bool[np.ndarray, " N"],
    queries: Bool[np.ndarray, " N"],
) -> dict[str, Float[np.ndarray, " M"]]:
    """Every query looked up among the clips of the index, as in a dictionary of signs.

    Clips of the query's own signer, where known, are left out of its index.

    Returns:
        r1, r5: 1 where one of the nearest 1 or 5 clips shows the query's sign, else 0.
        map: its average precision over the whole index.
    """
    found: dict[str, list[np.ndarray]] = {"r1": [], "r5": [], "map": []}
    asked, asking = signs[queries], signers[queries]
    start = 0
    for similarity in _blocks(unit(features[queries]), unit(features[index])):
        stop = start + len(similarity)
        own = (asking[start:stop, None] == signers[index]) & (asking[start:stop, None] != "")
        similarity = np.where(own, -np.inf, similarity)
        relevant = (asked[start:stop, None] == signs[index]) & ~own
        order = np.argsort(-similarity, axis=1, kind="stable")[:, :5]
        hits = np.take_along_axis(relevant, order, axis=1)
        found["r1"].append(hits[:, :1].any(axis=1))
        found["r5"].append(hits.any(axis=1))
        found["map"].append(average_precision(relevant, similarity))
        start = stop
    return {name: np.concatenate(values).astype(np.float64) for name, values in found.items()}


def unit(x: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D"]:
    """Rows of length 1; a row of zeros stays."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _blocks(
    queries: Float[np.ndarray, "M D"], index: Float[np.ndarray, "N D"]
) -> Iterator[Float[np.ndarray, "K N"]]:
    for start in range(0, len(queries), _QUERIES):
        yield queries[start : start + _QUERIES] @ index.T
