"""VICReg: two views alike, every dimension alive, no two of them the same."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sslmodel.config import VICRegConfig
from sslmodel.objectives.objective import Branches, Loss, Objective, head


class VICReg(Objective):
    """Invariance, variance and covariance terms over any number of branches. Two to compare with.

    L = a · invariance + b · variance + c · covariance, over projections of P numbers:

    invariance = mean over the pairs of branches of MSE, a mean over the batch and over P
    variance   = mean over the branches of 1/P · Σ_p max(0, 1 − √(Var_p + 1e-4))
    covariance = mean over the branches of 1/P · Σ_{p≠q} Cov_pq²

    Source: Bardes et al., arXiv 2105.04906, eqs. 1–6. As in its authors' code, the distance is a
    mean over P, where eq. 5 has a sum, and variance a mean over branches, where eq. 6 has a sum.
    Covariance is a mean over branches here: c = 2 with two of them is ν = 1 there.

    Args:
        features: D, the length of an embedding.
        config: weights and the sizes of the head.
    """

    def __init__(self, features: int, config: VICRegConfig):
        super().__init__()
        self.config = config
        self.projector = head((features, config.hidden, config.projection))

    def forward(self, branches: Branches, slow: Branches | None = None) -> Loss:
        """The loss of a batch, and its three terms, unweighted."""
        terms = vicreg_terms([self.projector(h) for h in branches])
        loss = (
            self.config.invariance * terms["invariance"]
            + self.config.variance * terms["variance"]
            + self.config.covariance * terms["covariance"]
        )
        return loss, terms


def vicreg_terms(branches: list[Float[Tensor, "B P"]]) -> dict[str, Float[Tensor, ""]]:
    """The three terms over any number of branches, unweighted."""
    pairs = [(a, b) for i, a in enumerate(branches) for b in branches[i + 1 :]]
    return {
        "invariance": torch.stack([F.mse_loss(a, b) for a, b in pairs]).mean(),
        "variance": torch.stack([variance(z) for z in branches]).mean(),
        "covariance": torch.stack([covariance(z) for z in branches]).mean(),
    }


def variance(z: Float[Tensor, "B P"], eps: float = 1e-4) -> Float[Tensor, ""]:
    """How far the dimensions' standard deviations fall short of 1; eqs. 1–2."""
    std = (z.var(dim=0, unbiased=len(z) > 1) + eps).sqrt()
    return F.relu(1 - std).mean()


def covariance(z: Float[Tensor, "B P"]) -> Float[Tensor, ""]:
    """Squared off-diagonal covariances, summed and divided by P; eqs. 3–4."""
    centred = z - z.mean(dim=0)
    matrix = centred.T @ centred / max(1, len(z) - 1)
    off_diagonal = matrix.square().sum() - matrix.diagonal().square().sum()
    return off_diagonal / z.shape[1]
