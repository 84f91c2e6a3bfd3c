"""Barlow Twins: two views correlate in every dimension, and dimensions not with each other."""

from jaxtyping import Float
from torch import Tensor

from sslmodel.config import BarlowTwinsConfig
from sslmodel.objectives.objective import Branches, Loss, Objective, head


class BarlowTwins(Objective):
    """The views' cross-correlation, drawn to the identity. Here to compare with.

    Source: Zbontar et al., arXiv 2103.03230, eqs. 1–2, with a projector of two layers.

    Args:
        features: D, the length of an embedding.
        config: the weight λ of the redundancy, and the sizes of the head.
    """

    def __init__(self, features: int, config: BarlowTwinsConfig):
        super().__init__()
        self.config = config
        self.projector = head((features, config.hidden, config.projection))

    def forward(self, branches: Branches, slow: Branches | None = None) -> Loss:
        """The loss of a batch, and its two terms, unweighted."""
        first, second = (self.projector(h) for h in branches)
        terms = barlow_terms(first, second)
        return terms["invariance"] + self.config.redundancy * terms["redundancy"], terms


def barlow_terms(
    first: Float[Tensor, "B P"], second: Float[Tensor, "B P"]
) -> dict[str, Float[Tensor, ""]]:
    """invariance: Σ_i (1 − C_ii)²; redundancy: Σ_{i≠j} C_ij²; C is the cross-correlation, eq. 2."""
    correlation = _standardised(first).T @ _standardised(second) / len(first)
    own = correlation.diagonal()
    return {
        "invariance": (1 - own).square().sum(),
        "redundancy": correlation.square().sum() - own.square().sum(),
    }


def _standardised(z: Float[Tensor, "B P"], eps: float = 1e-5) -> Float[Tensor, "B P"]:
    """Each dimension with mean 0 and variance 1 over the batch."""
    return (z - z.mean(dim=0)) / (z.var(dim=0, unbiased=False) + eps).sqrt()
