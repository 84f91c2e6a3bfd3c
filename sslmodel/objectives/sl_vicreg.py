"""SL-FPN's three branches without its collapse: variance and covariance terms."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sslmodel.config import SLVICRegConfig


class SLVICReg(nn.Module):
    """Three branches pulled together, every dimension kept alive and independent; no negatives.

    L = a · invariance + b · variance + c · covariance, over the projections of the original
    clip and of its two views, P numbers each:

    invariance = 1/3 · Σ over the three pairs of MSE, a mean over the batch and over P
    variance   = 1/3 · Σ over the three branches of 1/P · Σ_p max(0, 1 − √(Var_p + 1e-4))
    covariance = 1/3 · Σ over the three branches of 1/P · Σ_{p≠q} Cov_pq²

    Sources: the branches, Basso Madjoukeng et al., arXiv 2509.05188; the terms, Bardes et
    al., VICReg, arXiv 2105.04906, eqs. 1–6. As in its authors' code, the distance is a mean
    over P too, where eq. 5 has a sum; covariance is a mean over branches, where eq. 6 has a sum.

    Args:
        features: D, the length of an embedding.
        config: weights and the sizes of the head.
    """

    def __init__(self, features: int, config: SLVICRegConfig):
        super().__init__()
        self.config = config
        self.projector = nn.Sequential(
            nn.Linear(features, config.hidden),
            nn.BatchNorm1d(config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.projection),
        )

    def forward(
        self,
        original: Float[Tensor, "B D"],
        first: Float[Tensor, "B D"],
        second: Float[Tensor, "B D"],
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """The loss of a batch, and its three terms, unweighted."""
        branches = [self.projector(h) for h in (original, first, second)]
        terms = vicreg_terms(branches)
        weights = self.config
        loss = (
            weights.invariance * terms["invariance"]
            + weights.variance * terms["variance"]
            + weights.covariance * terms["covariance"]
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
    """How far the dimensions' standard deviations fall short of 1; VICReg eqs. 1–2."""
    std = (z.var(dim=0, unbiased=len(z) > 1) + eps).sqrt()
    return F.relu(1 - std).mean()


def covariance(z: Float[Tensor, "B P"]) -> Float[Tensor, ""]:
    """Squared off-diagonal covariances, summed and divided by P; VICReg eqs. 3–4."""
    centred = z - z.mean(dim=0)
    matrix = centred.T @ centred / max(1, len(z) - 1)
    off_diagonal = matrix.square().sum() - matrix.diagonal().square().sum()
    return off_diagonal / z.shape[1]
