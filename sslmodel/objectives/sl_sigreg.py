"""SL-FPN's three branches held apart by SIGReg, the term of LeJEPA."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sslmodel.chance import ClipChance
from sslmodel.config import SLSIGRegConfig
from sslmodel.objectives.objective import Branches, Loss, Objective, head

# The integral is over 17 points in −5..5, as published; nine of them do, as it is even in t.
_REACH, _POINTS = 5.0, 9


class SLSIGReg(Objective):
    """The original clip and its two views pulled to their mean, each branch a normal cloud.

    L = (1 − λ) · invariance + λ · normality, over projections of P numbers:

    invariance = mean over branches, batch and P of (z − mean of the clip's branches)²
    normality  = mean over branches and M random directions a, new ones at every step, of
                 B · ∫ |1/B · Σ_b exp(i t aᵀz_b) − exp(−t²/2)|² exp(−t²/2) dt, |a| = 1

    which is 0 where every direction is normal with mean 0 and variance 1: no dimension dies, and
    no two are alike. Source: Balestriero and LeCun, LeJEPA, arXiv 2511.08544, section 4.2.3 (the
    statistic of Epps and Pulley) and algorithm 1.

    Args:
        features: D, the length of an embedding.
        config: λ, M and the sizes of the head.
    """

    reads_original = True
    series: Tensor

    def __init__(self, features: int, config: SLSIGRegConfig):
        super().__init__()
        self.config = config
        self.projector = head((features, config.hidden, config.projection))
        self.register_buffer("series", torch.randint(2**31, ()))

    def forward(self, branches: Branches, slow: Branches | None = None) -> Loss:
        """The loss of a batch, and its two terms, unweighted."""
        z = torch.stack([self.projector(h) for h in branches])  # (branches, B, P)
        terms = {
            "invariance": (z - z.mean(dim=0)).square().mean(),
            "normality": normality(z, self._directions()).mean(),
        }
        share = self.config.normality
        return (1 - share) * terms["invariance"] + share * terms["normality"], terms

    def _directions(self) -> Float[Tensor, "P M"]:
        """Of length 1; the next ones of a series that began by the run's seed.

        All processes draw the same, and a run can be repeated and gone on with.
        """
        chance = ClipChance(0, 0, self.series[None])
        self.series += 1
        drawn = chance.normal(1, self.config.projection, self.config.directions)
        return F.normalize(drawn[0], dim=0)


def normality(z: Float[Tensor, "N B P"], directions: Float[Tensor, "P M"]) -> Float[Tensor, "N M"]:
    """How far a cloud is from a standard normal one, seen along each direction."""
    t = torch.linspace(0, _REACH, _POINTS, device=z.device)
    normal = torch.exp(-t.square() / 2)
    at = (z @ directions)[..., None] * t  # (N, B, M, points)
    apart = (at.cos().mean(dim=1) - normal).square() + at.sin().mean(dim=1).square()
    return z.shape[1] * 2 * torch.trapezoid(apart * normal, t, dim=-1)
