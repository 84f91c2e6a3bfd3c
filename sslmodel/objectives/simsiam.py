"""SimSiam: guess one view's projection from the other's, which holds still; no negatives."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sslmodel.config import SimSiamConfig
from sslmodel.objectives.objective import Branches, Loss, Objective, head


class SimSiam(Objective):
    """A predictor on one view, a stopped gradient on the other, both ways. Here to compare with.

    Source: Chen and He, arXiv 2011.10566, eqs. 1–4: a projector of three layers, all normalised
    over the batch, and a predictor with a bottleneck.

    Args:
        features: D, the length of an embedding.
        config: the sizes of the heads.
    """

    def __init__(self, features: int, config: SimSiamConfig):
        super().__init__()
        sizes = (features, config.hidden, config.hidden, config.projection)
        self.projector = head(sizes, last_norm=True)
        self.predictor = head((config.projection, config.bottleneck, config.projection))

    def forward(self, branches: Branches, slow: Branches | None = None) -> Loss:
        """The loss of a batch, from −1 (all alike) up; its only term is the loss itself."""
        first, second = (self.projector(h) for h in branches)
        pairs = ((self.predictor(first), second), (self.predictor(second), first))
        loss = torch.stack([likeness(p, z) for p, z in pairs]).mean()
        return loss, {"predict": loss.detach()}


def likeness(guess: Float[Tensor, "B P"], target: Float[Tensor, "B P"]) -> Float[Tensor, ""]:
    """Negative cosine to a target that holds still, a mean over clips; eqs. 1 and 3."""
    return -F.cosine_similarity(guess, target.detach(), dim=1).mean()
