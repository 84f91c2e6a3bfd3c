"""Top-k and mean per sign, with 95 % intervals by resampling the test part."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

Interval = tuple[float, float]


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


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """The same draws for every score, so that two scores can be compared clip by clip.

    Attributes:
        weights: (R, M), how often each of M test clips stands in each of R resamples.
        units: what is drawn each time with replacement: clips, or signers with all their clips.
    """

    weights: Float[np.ndarray, "R M"]
    units: int

    @classmethod
    def draw(cls, unit_of: Int[np.ndarray, " M"], resamples: int, seed: int) -> "Bootstrap":
        """unit_of: the unit that each test clip belongs to, counted from 0."""
        units = int(unit_of.max()) + 1
        drawn = np.random.default_rng(seed).integers(0, units, size=(resamples, units))
        counts = np.zeros((resamples, units))
        np.add.at(counts, (np.arange(resamples)[:, None], drawn), 1)
        return cls(counts[:, unit_of], units)

    def mean(self, hits: Float[np.ndarray, " M"]) -> Interval:
        """Of the mean. Where every clip is hit or missed it is Wilson's of the units."""
        if (hits == 1).all() or (hits == 0).all():
            return wilson(float(hits[0]), self.units)
        return _interval(self._means(hits))

    def mean_per_sign(
        self, hits: Float[np.ndarray, " M"], truth: Int[np.ndarray, " M"]
    ) -> Interval:
        """Of the mean over signs of each sign's mean; else as `mean`."""
        if (hits == 1).all() or (hits == 0).all():
            return wilson(float(hits[0]), self.units)
        order = np.argsort(truth, kind="stable")
        starts = np.flatnonzero(np.diff(truth[order], prepend=-1))
        weights = self.weights[:, order]
        count = np.add.reduceat(weights, starts, axis=1)
        total = np.add.reduceat(weights * hits[order], starts, axis=1)
        # A sign that a resample does not hold has no mean in it.
        return _interval(np.nanmean(np.where(count > 0, total / np.maximum(count, 1), np.nan), 1))

    def difference(self, a: Float[np.ndarray, " M"], b: Float[np.ndarray, " M"]) -> Interval:
        """Of mean(a) − mean(b), paired: what both find easy or hard does not blur it."""
        if np.ptp(a - b) > 0:
            return _interval(self._means(a - b))
        # No resample differs; the two intervals are all that is known.
        (low, high), (other_low, other_high) = self.mean(a), self.mean(b)
        return low - other_high, high - other_low

    def _means(self, values: Float[np.ndarray, " M"]) -> Float[np.ndarray, " R"]:
        return self.weights @ values / self.weights.sum(axis=1)


def wilson(share: float, count: int) -> Interval:
    """The 95 % score interval of a share of `count` trials; Wilson, JASA 22 (1927)."""
    z2 = 1.96**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = (z2 * (share * (1 - share) / count + z2 / (4 * count**2))) ** 0.5 / (1 + z2 / count)
    # Rounding must not put the share itself outside.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _interval(values: Float[np.ndarray, " R"]) -> Interval:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
