"""BYOL: guess how a slow copy of the encoder sees the other view; no negatives."""

import copy
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sslmodel.config import BYOLConfig
from sslmodel.objectives.objective import (
    Branches,
    Loss,
    Objective,
    frozen,
    head,
    move_towards,
)


class BYOL(Objective):
    """A predictor on one view, a slow encoder on the other, both ways. Here to compare with.

    Source: Grill et al., arXiv 2006.07733, eqs. 1–3; the momentum rises to 1 as in its section 3.3.

    Args:
        features: D, the length of an embedding.
        config: the momentum at the start, and the sizes of the heads.
    """

    follows = True

    def __init__(self, features: int, config: BYOLConfig):
        super().__init__()
        self.config = config
        self.projector = head((features, config.hidden, config.projection))
        self.predictor = head((config.projection, config.hidden, config.projection))
        self.slow_projector = frozen(copy.deepcopy(self.projector))

    def forward(self, branches: Branches, slow: Branches | None = None) -> Loss:
        """The loss of a batch; its only term is the loss itself."""
        if slow is None:
            raise ValueError("BYOL expected the branches of the slow encoder, found none")
        guesses = [self.predictor(self.projector(h)) for h in branches]
        with torch.no_grad():
            targets = [self.slow_projector(h) for h in slow]
        pairs = zip(guesses, reversed(targets), strict=True)
        loss = torch.stack([distance(guess, target) for guess, target in pairs]).sum()
        return loss, {"predict": loss.detach()}

    def momentum(self, progress: float) -> float:
        """1 − (1 − τ) · (cos(π · progress) + 1) / 2: from τ at the start to 1 at the end."""
        return 1 - (1 - self.config.momentum) * (math.cos(math.pi * progress) + 1) / 2

    def follow(self, momentum: float) -> None:
        """Move the slow projector."""
        move_towards(self.slow_projector, self.projector, momentum)


def distance(guess: Float[Tensor, "B P"], target: Float[Tensor, "B P"]) -> Float[Tensor, ""]:
    """2 − 2 · cosine: the squared distance on the sphere, a mean over clips; eq. 2."""
    return (2 - 2 * F.cosine_similarity(guess, target, dim=1)).mean()
