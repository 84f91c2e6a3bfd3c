"""Logistic regression on frozen features: scikit-learn's, and chosen without the test clips."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sslmodel.linear import (
    INVERSE_PENALTIES,
    UNCHOSEN,
    Logistic,
    fit_linear,
    principal_axes,
    standardised,
)

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]


def blobs(clips: int, features: int, noise: float = 1.5) -> tuple[np.ndarray, np.ndarray, Parts]:
    """Four signs, and of every twenty clips twelve for train, four for val, four for test."""
    random = np.random.default_rng(0)
    signs = np.arange(clips) % 4
    centres = random.normal(size=(4, features))
    x = centres[signs] + noise * random.normal(size=(clips, features))
    part = np.array((["train"] * 12 + ["val"] * 4 + ["test"] * 4) * (clips // 20))
    parts = part == "train", part == "val", part == "test"
    return standardised(x, parts[0]), signs, parts


def centred(scores: np.ndarray) -> np.ndarray:
    return scores - scores.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("inverse_penalty", INVERSE_PENALTIES)
@pytest.mark.parametrize("features", [6, 300])  # 300: fewer clips than features
def test_the_fit_is_scikit_learns(features: int, inverse_penalty: float) -> None:
    x, signs, _ = blobs(200, features)
    ours = Logistic(x, signs, 4).solve(inverse_penalty)
    theirs = LogisticRegression(C=inverse_penalty, max_iter=5000, tol=1e-10).fit(x, signs)
    expected = theirs.predict_proba(x)
    scores = np.exp(centred(ours.scores(x)))
    np.testing.assert_allclose(scores / scores.sum(axis=1, keepdims=True), expected, atol=1e-3)
    assert (ours.scores(x).argmax(1) == theirs.predict(x)).all()


def test_another_penaltys_answer_as_the_start_changes_nothing() -> None:
    x, signs, _ = blobs(200, 30)
    solver = Logistic(x, signs, 4)
    warm = solver.solve(1e-2, solver.solve(1e-4))
    np.testing.assert_allclose(warm.scores(x), solver.solve(1e-2).scores(x), atol=1e-3)
    other = Logistic(x[:90], signs[:90], 4).solve(1e-2)  # of other clips, in other axes
    np.testing.assert_allclose(solver.solve(1e-2, other).scores(x), warm.scores(x), atol=1e-3)


@pytest.mark.parametrize("features", [6, 300])
def test_linear_evaluation_is_scikit_learns(features: int) -> None:
    x, signs, (train, val, test) = blobs(400, features)
    fit = fit_linear(x, signs, 4, train, val, test)
    known = train | val
    theirs = LogisticRegression(C=fit.inverse_penalty, max_iter=5000, tol=1e-8)
    expected = theirs.fit(x[known], signs[known]).predict_proba(x[test])
    found = np.exp(centred(fit.scores))
    np.testing.assert_allclose(found / found.sum(axis=1, keepdims=True), expected, atol=1e-3)
    assert (fit.scores.argmax(1) == theirs.predict(x[test])).all()


@pytest.mark.parametrize("clips", [120, 400])  # folds of train and val choose, and val does
def test_test_clips_do_not_choose_the_penalty(clips: int) -> None:
    x, signs, (train, val, test) = blobs(clips, 6)
    fit = fit_linear(x, signs, 4, train, val, test)
    other, shuffled = x.copy(), signs.copy()
    other[test] = 100.0
    shuffled[test] = 0
    again = fit_linear(other, shuffled, 4, train, val, test)
    assert (again.inverse_penalty, again.val_top1) == (fit.inverse_penalty, fit.val_top1)


def test_val_chooses_the_penalty_that_suits_it() -> None:
    # Val's labels are noise: no feature helps, so the strongest penalty is the likeliest.
    x, signs, (train, val, test) = blobs(400, 60)
    signs = signs.copy()
    signs[val] = np.random.default_rng(0).integers(0, 4, val.sum())
    assert fit_linear(x, signs, 4, train, val, test).inverse_penalty < 1e-2


def test_one_label_a_sign_chooses_nothing() -> None:
    x, signs, (train, val, test) = blobs(200, 6)
    train = train & (np.cumsum(train) <= 4)
    fit = fit_linear(x, signs, 4, train, np.zeros_like(val), test)
    assert fit.inverse_penalty == UNCHOSEN
    assert np.isnan(fit.val_top1)


def test_a_sign_without_a_label_is_never_said() -> None:
    x, signs, (train, val, test) = blobs(200, 6)
    train, val = train & (signs != 2), val & (signs != 2)
    fit = fit_linear(x, signs, 4, train, val, test)
    assert (fit.scores[:, 2] == -np.inf).all()
    assert np.isfinite(np.delete(fit.scores, 2, axis=1)).all()


def test_principal_axes_are_those_of_the_covariance() -> None:
    x = np.random.default_rng(0).normal(size=(50, 8)) @ np.diag(np.arange(1.0, 9.0))
    x -= x.mean(axis=0)
    for rows in (x, x[:5] - x[:5].mean(axis=0)):
        axes, variance = principal_axes(rows)
        np.testing.assert_allclose(axes.T @ axes, np.eye(axes.shape[1]), atol=1e-9)
        rebuilt = axes * variance @ axes.T
        np.testing.assert_allclose(rebuilt, rows.T @ rows / len(rows), atol=1e-9)


def test_many_signs_in_single_precision_give_the_same_hits(monkeypatch: pytest.MonkeyPatch) -> None:
    x, signs, _ = blobs(200, 60)
    exact = Logistic(x, signs, 4).solve(1e-1)
    monkeypatch.setattr("sslmodel.linear._LARGE", 0)
    single = Logistic(x, signs, 4).solve(1e-1)
    assert single.weight.dtype == np.float32
    np.testing.assert_allclose(single.scores(x), exact.scores(x), atol=1e-3)
