"""SL-FPN, "free negative pairs", as published."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sslmodel.chance import ClipChance
from sslmodel.config import SLFPNConfig
from sslmodel.objectives.objective import Branches, Loss, Objective


class SLFPN(Objective):
    """Pull the two views and the original together; a predictor guesses one view from it.

    L = a · MSE(z₁, z₂) + b · MSE(z, z₁) + λ · MSE(predictor(z), stopgrad(z₂)),  a = b = 1
    MSE(a, b) = 1 / (B·P) · Σ_{b,p} (a − b)²     over B clips and the P numbers of a projection

    Nothing in this loss keeps embeddings apart: on small corpora it collapses, and the
    encoder ends below an untrained one. It is here because it is what was published.
    Source: Basso Madjoukeng et al., arXiv 2509.05188. The authors' public code rebuilds the
    predictor with random weights at every call; here it is trained, unless the settings say
    `random`.

    Args:
        features: D, the length of an embedding.
        config: a, b, λ, what the predictor is and the sizes of the heads.
    """

    reads_original = True
    series: Tensor

    def __init__(self, features: int, config: SLFPNConfig):
        super().__init__()
        self.config = config
        self.projector = nn.Sequential(
            nn.Linear(features, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.projection),
        )
        self.predictor = nn.Sequential(
            nn.Linear(config.projection, config.projection),
            nn.ReLU(),
            nn.Linear(config.projection, config.projection),
        ).requires_grad_(config.predictor == "trained")
        self.register_buffer("series", torch.randint(2**31, ()))

    def forward(self, branches: Branches, slow: Branches | None = None) -> Loss:
        """The loss of a batch, and its three distances, unweighted."""
        z, z1, z2 = (self.projector(h) for h in branches)
        if self.config.predictor == "random":
            self._forget()
        terms = fpn_terms(z, z1, z2, self.predictor(z))
        loss = (
            self.config.views_weight * terms["views"]
            + self.config.original_weight * terms["original"]
            + self.config.predictor_weight * terms["predict"]
        )
        return loss, terms

    @torch.no_grad()
    def _forget(self) -> None:
        """Give the predictor new random weights, as the authors' public code does.

        The next ones of a series that began by the run's seed, so that a run can be repeated.
        """
        chance = ClipChance(0, 0, self.series[None])
        self.series += 1
        for layer in self.predictor:
            if isinstance(layer, nn.Linear):
                bound = layer.in_features**-0.5  # as torch begins a linear layer
                for weight in (layer.weight, layer.bias):
                    weight.copy_(bound * (2 * chance.uniform(1, *weight.shape)[0] - 1))


def fpn_terms(
    z: Float[Tensor, "B P"],
    z1: Float[Tensor, "B P"],
    z2: Float[Tensor, "B P"],
    predicted: Float[Tensor, "B P"],
) -> dict[str, Float[Tensor, ""]]:
    """The three distances of SL-FPN, unweighted."""
    return {
        "views": F.mse_loss(z1, z2),
        "original": F.mse_loss(z, z1),
        "predict": F.mse_loss(predicted, z2.detach()),
    }
