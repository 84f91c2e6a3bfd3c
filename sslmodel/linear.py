"""Linear evaluation: logistic regression on frozen features, its penalty chosen on val.

The minimum is that of scikit-learn's `LogisticRegression` (tests compare them); the way there is
shorter. In the features' principal axes, each scaled by its own curvature, L-BFGS needs some ten
steps where it otherwise needs hundreds, and one penalty's answer is the next one's start.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize
from scipy.special import logsumexp
from threadpoolctl import ThreadpoolController
from torch import Tensor

# scikit-learn's C, the inverse of the penalty; features are standardised.
INVERSE_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
# What is taken where hardly a clip is there to choose by, such as one label a sign: on val of real
# keypoints it was within a point of the best for every share of the labels.
UNCHOSEN = 1e-1
# With fewer val clips, folds of all labelled clips choose better. Nothing does where fewer clips
# than these, or a smaller share of the labelled ones, have another clip of their sign beside them.
_FEWEST_VAL, _FEWEST_CHOOSING, _LEAST_CHOOSING, _FOLDS = 50, 20, 0.1, 4
# With fewer train clips a sign, the signs that val adds clips to would be the likelier ones in the
# last fit alone, and strong penalties would look better than they are.
_FEW_A_SIGN = 5
# Products a pass: below the first one thread is faster than several that wait for each other,
# above the second float32 is twice as fast and exact enough.
_SMALL, _LARGE = 10**8, 10**9
# A solution's steepest slope, as a share of the one where nothing is learned.
_EXACT, _CHOOSING = 1e-6, 1e-3
_MOST_STEPS = 200
# Axes with less than this share of the largest one's variance are rounding.
_FLAT = 1e-10


@dataclass(frozen=True, eq=False)
class LinearFit:
    """What a linear classifier says of the test clips.

    Attributes:
        scores: (M, S) of the M test clips; larger is likelier, −inf for signs that it never saw.
        inverse_penalty: the C that did best on val.
        val_top1: its share of the clips that chose; NaN where there were none.
    """

    scores: Float[np.ndarray, "M S"]
    inverse_penalty: float
    val_top1: float


def fit_linear(
    features: Float[np.ndarray, "N D"],
    signs: Int[np.ndarray, " N"],
    classes: int,
    train: Bool[np.ndarray, " N"],
    val: Bool[np.ndarray, " N"],
    test: Bool[np.ndarray, " N"],
) -> LinearFit:
    """Choose the penalty on val, fit again on train and val together, and score test.

    Where val has few clips, as with few labels, four folds of train and val choose.

    Args:
        features: standardised.
        signs: each clip's sign as a number below `classes`; what it is outside train, val and
            test does not matter.
    """
    known = train | val
    folds = _folds(signs, train, val)
    solvers = [Logistic(features[learned], signs[learned], classes) for learned, _ in folds]
    models: list[Linear | None] = [None] * len(folds)
    inverse_penalty, best, start = UNCHOSEN, (np.nan, -np.inf), None
    for c in INVERSE_PENALTIES if folds else ():
        models = [
            solver.solve(c, m, exact=False) for solver, m in zip(solvers, models, strict=True)
        ]
        said = np.concatenate(
            [m.scores(features[asked]) for m, (_, asked) in zip(models, folds, strict=True) if m]
        )
        found = _quality(said, np.concatenate([signs[asked] for _, asked in folds]))
        if np.isnan(best[0]) or found > best:
            inverse_penalty, best, start = c, found, models[0]
        elif found[1] < best[1]:
            break  # fewer hits, and surer of the wrong ones: weaker penalties only do worse
    model = Logistic(features[known], signs[known], classes).solve(inverse_penalty, start)
    return LinearFit(model.scores(features[test]), inverse_penalty, best[0])


def _folds(
    signs: Int[np.ndarray, " N"], train: Bool[np.ndarray, " N"], val: Bool[np.ndarray, " N"]
) -> list[tuple[Bool[np.ndarray, " N"], Bool[np.ndarray, " N"]]]:
    """What is learned from and what chooses: train and val, or where val is small, folds of both.

    With few clips a sign val's halves choose in turn, and the other half is learned from as well.
    None where nothing can choose. A clip that is its sign's only one is always learned from.
    """
    if val.sum() >= _FEWEST_VAL:
        if train.sum() >= _FEW_A_SIGN * len(np.unique(signs[train | val])):
            return [(train, val)]
        first = np.zeros_like(val)
        chosen = np.flatnonzero(val)
        first[chosen[np.argsort(signs[chosen], kind="stable")][::2]] = True
        second = val & ~first
        return [(train | second, first), (train | first, second)]
    known = np.flatnonzero(train | val)
    order = known[np.argsort(signs[known], kind="stable")]
    _, starts, counts = np.unique(signs[order], return_index=True, return_counts=True)
    fold = np.full(len(signs), -1)
    # Signs begin with different folds: else one fold would ask all signs of two clips at once.
    place = np.arange(len(order)) - np.repeat(starts, counts)
    fold[order] = (place + np.repeat(np.arange(len(counts)), counts)) % _FOLDS
    fold[order[np.repeat(counts, counts) == 1]] = -1
    if (fold >= 0).sum() < max(_FEWEST_CHOOSING, _LEAST_CHOOSING * len(known)):
        return []
    asked = [fold == i for i in range(_FOLDS) if (fold == i).any()]
    return [((train | val) & ~one, one) for one in asked]


def _quality(scores: Float[np.ndarray, "M S"], truth: Int[np.ndarray, " M"]) -> tuple[float, float]:
    """Top-1, and the mean log-likelihood, which tells two apart that hit equally many.

    With few labels there are few clips to choose by, and many penalties hit the same ones.
    """
    own = (scores - logsumexp(scores, axis=1, keepdims=True))[np.arange(len(truth)), truth]
    shown = np.isfinite(own)
    likelihood = float(own[shown].mean()) if shown.any() else 0.0
    return float((scores.argmax(axis=1) == truth).mean()), likelihood


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear classifier over S signs; weight (D, S), bias (S,), −inf for signs never seen."""

    weight: Float[np.ndarray, "D S"]
    bias: Float[np.ndarray, " S"]

    def scores(self, features: Float[np.ndarray, "M D"]) -> Float[np.ndarray, "M S"]:
        """Logits."""
        return _product(features.astype(self.weight.dtype, copy=False), self.weight) + self.bias


class Logistic:
    """Logistic regression of n clips, prepared once for several penalties.

    Minimises C · Σ cross-entropy(x W + b) + ½ ‖W‖², the bias b free: what scikit-learn's
    `LogisticRegression(C)` minimises.

    Args:
        x: (n, D) features.
        y: (n,) signs as numbers below `classes`.
    """

    def __init__(self, x: Float[np.ndarray, "n D"], y: Int[np.ndarray, " n"], classes: int) -> None:
        self.classes = classes
        self.present, own = np.unique(y, return_inverse=True)
        self.centre = x.mean(axis=0, dtype=np.float64)
        self.basis, self.variance = principal_axes(x - self.centre)
        products = len(x) * self.basis.shape[1] * len(self.present)
        self.threads = 1 if products < _SMALL else torch.get_num_threads()
        self.dtype = np.dtype(np.float32 if products > _LARGE else np.float64)
        self.z = _product(x - self.centre, self.basis).astype(self.dtype)
        self.y = torch.from_numpy(own.astype(np.int64))

    def solve(
        self, inverse_penalty: float, start: Linear | None = None, exact: bool = True
    ) -> Linear:
        """The classifier at this penalty; `start` is one at another penalty, or of other clips.

        Not `exact` is for choosing among penalties: the same hits, in half the steps and digits.
        """
        n, signs = len(self.z), len(self.present)
        dtype = self.dtype if exact else np.dtype(np.float32)
        penalty = 1.0 / (inverse_penalty * n)
        curvature = max(1 / signs - 1 / signs**2, 1e-12)  # of the loss where nothing is learned yet
        scale = 1.0 / np.sqrt(curvature * self.variance + penalty)
        free = 1.0 / np.sqrt(curvature)  # the bias has no penalty
        x = torch.from_numpy(
            np.concatenate([self.z * scale, np.full((n, 1), free)], axis=1).astype(dtype)
        )
        ridge = torch.from_numpy(np.append(penalty * scale**2, 0.0).astype(dtype))[:, None]

        def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
            u = torch.from_numpy(flat.astype(dtype)).view(-1, signs)
            value, gradient = _loss(x, self.y, u, ridge)
            return value, gradient.double().numpy().ravel()

        first = np.zeros((len(scale) + 1, signs))
        if start is not None:
            first[:-1] = (self.basis.T @ start.weight[:, self.present]) / scale[:, None]
            bias = start.bias[self.present] + self.centre @ start.weight[:, self.present]
            bias = np.where(np.isfinite(bias), bias, 0.0)
            first[-1] = (bias - bias.mean()) / free
        # Of the slope where nothing is learned yet: with many signs every slope is small.
        steepest = float(np.abs(cost(np.zeros(first.size))[1]).max())
        gtol = (_EXACT if exact else _CHOOSING) * steepest
        options = {"maxiter": _MOST_STEPS, "gtol": gtol, "ftol": 1e-13, "maxcor": 10}
        with _threads(self.threads):
            found = minimize(cost, first.ravel(), method="L-BFGS-B", jac=True, options=options)
        u = found.x.reshape(-1, signs)
        weight = np.zeros((len(self.centre), self.classes), self.dtype)
        weight[:, self.present] = self.basis @ (u[:-1] * scale[:, None])
        bias = np.full(self.classes, -np.inf)
        bias[self.present] = u[-1] * free - self.centre @ weight[:, self.present]
        return Linear(weight, bias.astype(self.dtype))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many for torch's products; one for the solver's own vectors, where several only wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with _blas().limit(limits=1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _loss(
    x: Float[Tensor, "n K"],
    y: Int[Tensor, " n"],
    u: Float[Tensor, "K S"],
    ridge: Float[Tensor, "K 1"],
) -> tuple[float, Float[Tensor, "K S"]]:
    """Mean cross-entropy with its penalty, and the gradient."""
    log_share = F.log_softmax(x @ u, dim=1)
    rows = torch.arange(len(y))
    value = -log_share[rows, y].double().mean() + 0.5 * (ridge * u * u).double().sum()
    error = log_share.exp_()
    error[rows, y] -= 1
    return float(value), x.T @ error / len(y) + ridge * u


def _product(a: Float[np.ndarray, "n K"], b: Float[np.ndarray, "K m"]) -> Float[np.ndarray, "n m"]:
    """a @ b by torch: numpy 1.26's OpenBLAS takes thrice as long on processors newer than it is."""
    x, y = (torch.from_numpy(np.require(side, requirements=["C", "W"])) for side in (a, b))
    return (x @ y).numpy()


def principal_axes(
    x: Float[np.ndarray, "n D"],
) -> tuple[Float[np.ndarray, "D K"], Float[np.ndarray, " K"]]:
    """The axes in which centred rows vary, and their variances; K ≤ min(n, D).

    A penalised linear model's weights lie in the span of its rows (the representer theorem), so
    nothing is lost where there are more dimensions than clips, and the fit is much smaller.
    """
    n, size = x.shape
    rows = torch.from_numpy(x.astype(np.float64, copy=False))
    values, vectors = torch.linalg.eigh(rows.T @ rows if size <= n else rows @ rows.T)
    kept = values > _FLAT * max(float(values[-1]), 1e-300)
    values, vectors = values[kept], vectors[:, kept]
    if size > n:
        vectors = rows.T @ (vectors / values.sqrt())
    return vectors.numpy(), values.numpy() / n


def standardised(
    features: Float[np.ndarray, "N D"], train: Bool[np.ndarray, " N"]
) -> Float[np.ndarray, "N D"]:
    """Every feature with mean 0 and spread 1 over the train clips."""
    known = features[train]
    mean = known.mean(axis=0, dtype=np.float64)
    spread = known.std(axis=0, dtype=np.float64)
    return (features - mean) / np.where(spread > 1e-8, spread, 1.0)
