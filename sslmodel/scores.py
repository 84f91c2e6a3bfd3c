"""Scores of the encoder and of its baselines, and how sure they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sslmodel.config import ProbeConfig
from sslmodel.linear import LinearFit
from sslmodel.metrics import Bootstrap, Interval, mean_per_sign, top_k

# With fewer signers in test, drawing them says little of how people differ.
_FEWEST_SIGNERS = 5


@dataclass(frozen=True)
class Score:
    """One row of the table. Shares in 0..1; intervals are 95 %."""

    features: str
    top1: float
    top1_interval: Interval
    top5: float
    per_sign: float
    per_sign_interval: Interval
    encoders: int = 1
    inverse_penalties: tuple[float, ...] = ()


@dataclass(frozen=True)
class Difference:
    """The encoder's top-1 minus a baseline's, paired over test clips; the interval is 95 %."""

    against: str
    top1: float
    interval: Interval


def compare(
    fits: Mapping[str, Sequence[LinearFit]],
    signs: np.ndarray,
    signers: np.ndarray,
    config: ProbeConfig,
) -> tuple[list[Score], list[Difference], str]:
    """Every row's score, the first row's lead over the others, and what intervals are drawn from.

    Args:
        fits: of each row of the table; several of one row are averaged.
        signs, signers: (M,) text, of the test clips.
    """
    first = next(iter(fits))
    truth = np.searchsorted(fits[first][0].signs, signs)
    units, intervals = _units(signers)
    bootstrap = Bootstrap.draw(units, config.resamples, config.seed)
    hits = {name: _hits(row, truth, 1) for name, row in fits.items()}
    scores = [_score(name, row, hits[name], truth, bootstrap) for name, row in fits.items()]
    differences = [
        Difference(name, float((hits[first] - h).mean()), bootstrap.difference(hits[first], h))
        for name, h in hits.items()
        if name != first
    ]
    return [*scores, _chance(len(fits[first][0].signs))], differences, intervals


def _units(signers: np.ndarray) -> tuple[np.ndarray, str]:
    """The unit that each test clip is drawn with, and how to tell it.

    Clips of one signer are alike, so signers are drawn where there are enough of them.
    """
    many = len(set(signers))
    if (signers != "").all() and many >= _FEWEST_SIGNERS:
        units = np.unique(signers.astype(str), return_inverse=True)[1]
        return units, f"bootstrap over the {many} signers of test"
    return np.arange(len(signers)), "bootstrap over test clips, as if each had its own signer"


def _hits(
    fits: Sequence[LinearFit], truth: Int[np.ndarray, " M"], k: int
) -> Float[np.ndarray, " M"]:
    """The share of the fits that have each test clip's sign among their k likeliest."""
    hits: Float[np.ndarray, " M"] = np.mean([top_k(fit.scores, truth, k) for fit in fits], axis=0)
    return hits


def _score(
    name: str,
    fits: Sequence[LinearFit],
    hits: Float[np.ndarray, " M"],
    truth: Int[np.ndarray, " M"],
    bootstrap: Bootstrap,
) -> Score:
    """The mean over the fits; a test clip's hit is its mean hit, so one interval covers all."""
    return Score(
        features=name,
        top1=float(hits.mean()),
        top1_interval=bootstrap.mean(hits),
        top5=float(_hits(fits, truth, 5).mean()),
        per_sign=mean_per_sign(hits, truth),
        per_sign_interval=bootstrap.mean_per_sign(hits, truth),
        encoders=len(fits),
        inverse_penalties=tuple(fit.inverse_penalty for fit in fits),
    )


def _chance(signs: int) -> Score:
    one, five = 1 / signs, min(5, signs) / signs
    return Score("chance", one, (one, one), five, one, (one, one), encoders=0)
