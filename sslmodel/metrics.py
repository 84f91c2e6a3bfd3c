"""Top-k, mean per sign and average precision, with 95 % intervals by resampling.

Values are (E, L, M): what each of E encoders (seeds), with each of L draws of labels, gives for
each of M test clips. A score is the mean over all of them; its interval resamples all three.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import stdtrit

Interval = tuple[float, float]
_ROUNDING = 1e-12
Values = Float[np.ndarray, "E L M"]


def top_k(
    scores: Float[np.ndarray, "M S"], truth: Int[np.ndarray, " M"], k: int
) -> Bool[np.ndarray, " M"]:
    """Whether the true sign is among the k likeliest. Ties count against it.

    A sign whose score is −inf was never shown, and is no hit.
    """
    own = scores[np.arange(len(truth)), truth]
    # The true sign itself is one of those at least as likely.
    return ((scores >= own[:, None]).sum(axis=1) <= k) & (own > -np.inf)


def average_precision(
    relevant: Bool[np.ndarray, "M N"], similarity: Float[np.ndarray, "M N"]
) -> Float[np.ndarray, " M"]:
    """Of each query: the mean, over the clips of its sign, of the precision down to that clip.

    −inf in `similarity` is a clip that is not in the index. Clips that are equally near count in
    the order in which they stand. 0 where the index holds no clip of the sign.
    """
    order = np.argsort(-similarity, axis=1, kind="stable")
    found = np.take_along_axis(relevant & (similarity > -np.inf), order, axis=1)
    precision = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    return (precision * found).sum(axis=1) / np.maximum(found.sum(axis=1), 1)


def random_order(total: Int[np.ndarray, " M"], relevant: Int[np.ndarray, " M"]) -> dict[str, float]:
    """R@1, R@5 and mAP of M queries whose index is in a random order.

    Of N clips of which R are relevant, k have none with the hypergeometric probability, and
    average precision is expected to be ((R − 1)/(N − 1) · (N − H_N) + H_N) / N, H_N the N-th
    harmonic number (Bestgen, Prague Bulletin of Mathematical Linguistics 103, 2015).

    Args:
        total, relevant: N and R of each query.
    """
    n, r = np.maximum(total, 1).astype(float), np.minimum(relevant, total).astype(float)
    found = r > 0
    harmonic = np.cumsum(1 / np.arange(1, n.max() + 1))[n.astype(int) - 1]
    precision = ((r - 1) / np.maximum(n - 1, 1) * (n - harmonic) + harmonic) / n
    none = [
        np.prod([np.maximum(n - r - i, 0) / np.maximum(n - i, 1) for i in range(k)], axis=0)
        for k in (1, 5)
    ]
    return {
        "r1": float(np.where(found, 1 - none[0], 0).mean()),
        "r5": float(np.where(found, 1 - none[1], 0).mean()),
        "map": float(np.where(found, precision, 0).mean()),
    }


def mean_per_sign(values: Float[np.ndarray, " M"], truth: Int[np.ndarray, " M"]) -> float:
    """The mean over signs of each sign's own mean: rare signs count as much as frequent ones."""
    total = np.bincount(truth, weights=values)
    count = np.bincount(truth)
    return float((total[count > 0] / count[count > 0]).mean())


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """The same draws for every score, so that two scores can be compared clip by clip.

    Attributes:
        weights: (R, M), the weight of each of M test clips in each of R resamples, widened where
            units are few; rows sum to 1.
        per_sign: (R, M), the same, so that every sign in a resample weighs the same.
        units: what is drawn each time with replacement: clips, or signers with all their clips.
        seed: of the draws, also of those over encoders and draws of labels.
    """

    weights: Float[np.ndarray, "R M"]
    per_sign: Float[np.ndarray, "R M"]
    units: int
    seed: int

    @classmethod
    def draw(
        cls,
        unit_of: Int[np.ndarray, " M"],
        truth: Int[np.ndarray, " M"],
        resamples: int,
        seed: int,
    ) -> "Bootstrap":
        """unit_of: the unit that each test clip belongs to, counted from 0; truth: its sign."""
        units = int(unit_of.max()) + 1
        counts = _multiplicities(units, resamples, seed)[:, unit_of]
        order = np.argsort(truth, kind="stable")
        starts = np.flatnonzero(np.diff(truth[order], prepend=-1))
        of_sign = np.add.reduceat(counts[:, order], starts, axis=1)
        signs = np.searchsorted(truth[order][starts], truth)
        # A sign that a resample does not hold has no mean in it.
        per_sign = counts / np.maximum(of_sign, 1)[:, signs]
        per_sign /= (of_sign > 0).sum(axis=1, keepdims=True)
        even = np.full(len(truth), 1 / len(truth))
        even_per_sign = (1 / np.bincount(truth)[truth]) / len(starts)
        return cls(
            _widened(counts / counts.sum(axis=1, keepdims=True), even, units),
            _widened(per_sign, even_per_sign, units),
            units,
            seed,
        )

    def mean(self, values: Values) -> Interval:
        """Of the mean. Where every clip is hit or missed it is Wilson's of the units.

        One unit alone says nothing of others: then it is all from 0 to 1.
        """
        return self._interval(values, self.weights)

    def mean_per_sign(self, values: Values) -> Interval:
        """Of the mean over signs of each sign's mean; else as `mean`."""
        return self._interval(values, self.per_sign)

    def difference(
        self, a: Float[np.ndarray, "E1 L M"], b: Float[np.ndarray, "E2 L M"]
    ) -> Interval:
        """Of mean(a) − mean(b), paired: what both find easy or hard does not blur it.

        Clips and draws of labels are the same on both sides; encoders too where both have
        equally many, which are then those of the same seeds.
        """
        found = self._means(a, self.weights) - self._means(b, self.weights)
        if np.ptp(found) > _ROUNDING:
            return _percentiles(found, -1, 1)
        # No resample differs; the two intervals are all that is known.
        (low, high), (other_low, other_high) = self.mean(a), self.mean(b)
        return low - other_high, high - other_low

    def _interval(self, values: Values, weights: Float[np.ndarray, "R M"]) -> Interval:
        if (values == 1).all() or (values == 0).all():
            return wilson(float(values.flat[0]), self.units)
        if self.units == 1:
            return 0.0, 1.0
        return _percentiles(self._means(values, weights), 0, 1)

    def _means(self, values: Values, weights: Float[np.ndarray, "R M"]) -> Float[np.ndarray, " R"]:
        encoders, draws, clips = values.shape
        means = weights @ values.reshape(-1, clips).T  # (R, E·L)
        resamples = len(weights)
        over_encoders = _even_shares(encoders, resamples, self.seed + 1)
        over_draws = _even_shares(draws, resamples, self.seed + 2)
        shares = over_encoders[:, :, None] * over_draws[:, None, :]
        return (means * shares.reshape(resamples, -1)).sum(axis=1)


def _multiplicities(units: int, resamples: int, seed: int) -> Float[np.ndarray, "R U"]:
    """How often each unit stands in each resample of as many, drawn with replacement."""
    drawn = np.random.default_rng(seed).integers(0, units, size=(resamples, units))
    counts = np.zeros((resamples, units))
    np.add.at(counts, (np.arange(resamples)[:, None], drawn), 1)
    return counts


def _even_shares(units: int, resamples: int, seed: int) -> Float[np.ndarray, "R U"]:
    shares = _multiplicities(units, resamples, seed) / units
    return _widened(shares, np.full(units, 1 / units), units)


def _widened(
    weights: Float[np.ndarray, "R M"], even: Float[np.ndarray, " M"], units: int
) -> Float[np.ndarray, "R M"]:
    """Resampled weights, moved away from the even ones as far as few units need.

    A plain bootstrap of n units has (n − 1)/n of their variance, and knows nothing of how unsure
    that variance itself is; Student's t does (Hesterberg, The American Statistician 69, 2015,
    "narrowness bias"). For three seeds that is a factor of 2.7, for a hundred clips of 1.02.
    """
    if units < 2:
        return weights
    factor = (units / (units - 1)) ** 0.5 * stdtrit(units - 1, 0.975) / 1.96
    return even + factor * (weights - even)


def wilson(share: float, count: int) -> Interval:
    """The 95 % score interval of a share of `count` trials; Wilson, JASA 22 (1927)."""
    z2 = 1.96**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = (z2 * (share * (1 - share) / count + z2 / (4 * count**2))) ** 0.5 / (1 + z2 / count)
    # Rounding must not put the share itself outside.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _percentiles(values: Float[np.ndarray, " R"], least: float, most: float) -> Interval:
    low, high = np.clip(np.quantile(values, [0.025, 0.975]), least, most)
    return float(low), float(high)
