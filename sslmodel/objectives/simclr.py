"""SimCLR: a clip's two views against all other clips of the batch, which are its negatives."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sslmodel.config import SimCLRConfig
from sslmodel.objectives.objective import Branches, Loss, Objective, head


class SimCLR(Objective):
    """NT-Xent over the projections of two views. Here to compare with: it needs negatives.

    Source: Chen et al., arXiv 2002.05709, eq. 1, and its projector with batch normalisation.

    Args:
        features: D, the length of an embedding.
        config: temperature and the sizes of the head.
    """

    def __init__(self, features: int, config: SimCLRConfig):
        super().__init__()
        self.config = config
        self.projector = head((features, config.hidden, config.projection))

    def forward(self, branches: Branches, slow: Branches | None = None) -> Loss:
        """The loss of a batch; its only term is the loss itself."""
        first, second = (self.projector(h) for h in branches)
        loss = nt_xent(first, second, self.config.temperature)
        return loss, {"contrast": loss.detach()}


def nt_xent(
    first: Float[Tensor, "B P"], second: Float[Tensor, "B P"], temperature: float
) -> Float[Tensor, ""]:
    """−log of the share that a view's partner has among all 2B − 1 other views; the mean of 2B.

    Shares are of exp(cosine / temperature). Source: arXiv 2002.05709, eq. 1.
    """
    z = F.normalize(torch.cat([first, second]), dim=1)
    likeness = (z @ z.T / temperature).fill_diagonal_(float("-inf"))
    partner = torch.arange(len(z), device=z.device).roll(len(first))
    return F.cross_entropy(likeness, partner)
