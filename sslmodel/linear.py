"""Linear evaluation: logistic regression on frozen features, its penalty chosen on val."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sslmodel.split import Split

# scikit-learn's C, the inverse of the penalty; features are standardised.
INVERSE_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@dataclass(frozen=True, eq=False)
class LinearFit:
    """What a linear classifier says of the test clips.

    Attributes:
        signs: (S,) the classes, sorted.
        scores: (M, S) of the M test clips; larger is likelier.
        inverse_penalty: the C that did best on val.
        val_top1: its share of val clips.
    """

    signs: np.ndarray
    scores: Float[np.ndarray, "M S"]
    inverse_penalty: float
    val_top1: float


def fit_linear(features: Float[np.ndarray, "N D"], signs: np.ndarray, split: Split) -> LinearFit:
    """Choose the penalty on val, fit again on train and val together, and score test.

    Features are standardised on train. signs: (N,) text.
    """
    train, val, test = (split.is_in(part) for part in ("train", "val", "test"))
    known = train | val
    x = _standardised(features, train)
    chosen = _compact(x, train)
    # Of two that do equally well the stronger penalty is kept.
    val_top1, best = max(
        (float(_fit(chosen[train], signs[train], c).score(chosen[val], signs[val])), -i)
        for i, c in enumerate(INVERSE_PENALTIES)
    )
    inverse_penalty = INVERSE_PENALTIES[-best]
    x = _compact(x, known)
    model = _fit(x[known], signs[known], inverse_penalty)
    scores = model.decision_function(x[test])
    if scores.ndim == 1:  # two signs: scikit-learn gives one column
        scores = np.stack([-scores, scores], axis=1)
    return LinearFit(model.classes_, scores, inverse_penalty, val_top1)


def _fit(x: Float[np.ndarray, "N D"], signs: np.ndarray, c: float) -> LogisticRegression:
    with warnings.catch_warnings():
        # The weakest penalties converge last and are hardly ever chosen.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=c, max_iter=300).fit(x, signs)


def _standardised(
    x: Float[np.ndarray, "N D"], train: Bool[np.ndarray, " N"]
) -> Float[np.ndarray, "N D"]:
    mean, spread = x[train].mean(axis=0), x[train].std(axis=0)
    return (x - mean) / np.where(spread > 1e-8, spread, 1.0)


def _compact(
    x: Float[np.ndarray, "N D"], fitted: Bool[np.ndarray, " N"]
) -> Float[np.ndarray, "N K"]:
    """The same clips in the space that the fitted ones span: the same fit, much faster.

    A penalised linear model's weights lie in the span of its training rows (the representer
    theorem), so nothing is lost where there are more dimensions than clips.
    """
    if x.shape[1] <= fitted.sum():
        return x
    centre = x[fitted].mean(axis=0)
    _, _, basis = np.linalg.svd(x[fitted] - centre, full_matrices=False)
    return (x - centre) @ basis.T
