"""One training step's computation: branches in, a loss out, in one process or several."""

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sslmodel.collapse import alignment, separation
from sslmodel.device import gather
from sslmodel.encoder import Encoder
from sslmodel.objectives import Objective
from sslmodel.objectives.objective import frozen, move_towards

Branch = tuple[Float[Tensor, "b T V 2"], Float[Tensor, "b T V"]]


class Learner(nn.Module):
    """An encoder, its objective, and a slow copy of the encoder where the objective follows one."""

    def __init__(self, encoder: Encoder, objective: Objective):
        super().__init__()
        self.encoder = encoder
        self.objective = objective
        self.slow = frozen(copy.deepcopy(encoder)) if objective.follows else None

    def forward(
        self, branches: Sequence[Branch], sizes: tuple[int, ...]
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """The loss of the whole batch; and what is logged: its terms, and how alike views are.

        Args:
            branches: this process's rows of the original (where the objective reads it) and views.
            sizes: how many rows each process has.
        """
        embedded = [gather(h, sizes) for h in self.embed(self.encoder, branches)]
        slow = None
        if self.slow is not None:
            with torch.no_grad():
                slow = [gather(h, sizes) for h in self.embed(self.slow, branches)]
        # Variances and logarithms want more than the 8 bits of bf16.
        with torch.autocast(embedded[0].device.type, enabled=False):
            loss, terms = self.objective(embedded, slow)
            with torch.no_grad():
                watched = {
                    "alignment": alignment(*embedded[-2:]),
                    "separation": separation(embedded[-1]),
                }
        return loss, {**{name: term.detach() for name, term in terms.items()}, **watched}

    @staticmethod
    def embed(encoder: nn.Module, branches: Sequence[Branch]) -> list[Float[Tensor, "b D"]]:
        """The branches share every weight, so they go through together."""
        points, seen = (torch.cat(column) for column in zip(*branches, strict=True))
        return list(encoder(points, seen).float().chunk(len(branches)))

    def follow(self, progress: float) -> None:
        """After a step: move the slow copies towards the encoder and its heads."""
        if self.slow is not None:
            momentum = self.objective.momentum(progress)
            move_towards(self.slow, self.encoder, momentum)
            self.objective.follow(momentum)
