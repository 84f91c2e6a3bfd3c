"""Top-k and mean per sign, with bootstrap intervals over the test clips."""

import numpy as np
from jaxtyping import Bool, Float, Int


def top_k(
    scores: Float[np.ndarray, "M S"], truth: Int[np.ndarray, " M"], k: int
) -> Bool[np.ndarray, " M"]:
    """Whether the true sign is among the k likeliest. Ties count against it."""
    own = scores[np.arange(len(truth)), truth]
    # The true sign itself is one of those at least as likely.
    return (scores >= own[:, None]).sum(axis=1) <= k


def mean_per_sign(hits: Float[np.ndarray, " M"], truth: Int[np.ndarray, " M"]) -> float:
    """The mean over signs of each sign's own mean: rare signs count as much as frequent ones."""
    total = np.bincount(truth, weights=hits)
    count = np.bincount(truth)
    return float((total[count > 0] / count[count > 0]).mean())


def bootstrap(
    hits: Float[np.ndarray, " M"], truth: Int[np.ndarray, " M"], resamples: int, seed: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """95 % intervals of the mean and of the mean per sign: test clips drawn with replacement."""
    generator = np.random.default_rng(seed)
    draws = generator.integers(0, len(hits), size=(resamples, len(hits)))
    means = hits[draws].mean(axis=1)
    per_sign = [mean_per_sign(hits[draw], truth[draw]) for draw in draws]
    return _interval(means), _interval(np.array(per_sign))


def _interval(values: Float[np.ndarray, " R"]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
