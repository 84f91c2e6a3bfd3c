"""kNN, nearest centroids and retrieval, beside scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from sslmodel.neighbours import nearest_centroid, retrieve, unit, vote

RANDOM = np.random.default_rng(0)
SIGNS = np.arange(120) % 6
X = RANDOM.normal(size=(6, 8))[SIGNS] + RANDOM.normal(size=(120, 8))
TRAIN = np.arange(120) % 4 > 0
TEST = ~TRAIN
NOBODY = np.full(120, "", object)


@pytest.mark.parametrize("neighbours", [1, 5])
def test_knn_is_scikit_learns(neighbours: int) -> None:
    theirs = KNeighborsClassifier(neighbours, metric="cosine").fit(X[TRAIN], SIGNS[TRAIN])
    shares = theirs.predict_proba(X[TEST])
    scores = vote(X, SIGNS, 6, TRAIN, TEST, neighbours)
    votes = np.where(np.isfinite(scores), np.round(scores), 0)
    np.testing.assert_array_equal(votes, np.round(shares * neighbours))
    clear = np.sort(shares, axis=1)[:, -1] > np.sort(shares, axis=1)[:, -2]
    assert clear.sum() > 15
    assert (scores.argmax(1) == theirs.predict(X[TEST]))[clear].all()


def test_of_signs_with_as_many_votes_the_nearer_wins() -> None:
    x = np.array([[1.0, 0.0], [0.8, 0.6], [1.0, 0.1], [0.0, 1.0]])
    scores = vote(x, np.array([0, 0, 1, 2]), 3, np.array([0, 1, 1, 0], bool), x[:, 1] == 0, 2)
    assert scores.argmax(1).tolist() == [1]
    assert scores[0, 2] == -np.inf


def test_the_nearest_centroid_is_scikit_learns() -> None:
    theirs = NearestCentroid().fit(unit(X[TRAIN]), SIGNS[TRAIN])
    centroids = unit(theirs.centroids_)
    expected = (unit(X[TEST]) @ centroids.T).argmax(1)
    assert (nearest_centroid(X, SIGNS, 6, TRAIN, TEST).argmax(1) == expected).all()


def test_retrieval_is_scikit_learns() -> None:
    found = retrieve(X, SIGNS, NOBODY, TRAIN, TEST)
    cosine = unit(X[TEST]) @ unit(X[TRAIN]).T
    relevant = SIGNS[TEST][:, None] == SIGNS[TRAIN]
    expected = [average_precision_score(r, c) for r, c in zip(relevant, cosine, strict=True)]
    np.testing.assert_allclose(found["map"], expected)
    nearest = cosine.argmax(1)
    np.testing.assert_array_equal(found["r1"], SIGNS[TEST] == SIGNS[TRAIN][nearest])
    assert (found["r5"] >= found["r1"]).all()


def test_a_querys_own_signer_is_not_in_its_index() -> None:
    x = np.array([[1.0, 0.0], [1.0, 0.01], [0.5, 0.5], [0.0, 1.0]])
    signs, signers = np.array([0, 0, 1, 0]), np.array(["anna", "anna", "ben", "ben"], object)
    query = np.array([1, 0, 0, 0], bool)
    found = retrieve(x, signs, signers, ~query, query)
    # Without Anna's other clip, ben's wrong one is nearest and the right one second.
    assert (found["r1"].item(), found["r5"].item(), found["map"].item()) == (0, 1, 0.5)


def test_a_sign_that_the_index_lacks_is_never_found() -> None:
    signs = np.where(np.arange(120) == 0, 6, SIGNS)
    found = retrieve(X, signs, NOBODY, TRAIN, np.arange(120) == 0)
    assert all(value.item() == 0 for value in found.values())


def test_more_queries_than_a_block_come_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = retrieve(X, SIGNS, NOBODY, TRAIN, TEST)
    votes = vote(X, SIGNS, 6, TRAIN, TEST, 5)
    monkeypatch.setattr("sslmodel.neighbours._QUERIES", 7)
    np.testing.assert_array_equal(vote(X, SIGNS, 6, TRAIN, TEST, 5), votes)
    for name, values in retrieve(X, SIGNS, NOBODY, TRAIN, TEST).items():
        np.testing.assert_array_equal(values, whole[name])
