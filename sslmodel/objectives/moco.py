"""MoCo: a view against its partner by a slow encoder, and against a queue of earlier clips."""

import copy

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sslmodel.config import MoCoConfig
from sslmodel.objectives.objective import (
    Branches,
    Loss,
    Objective,
    frozen,
    head,
    move_towards,
)


class MoCo(Objective):
    """InfoNCE with a momentum encoder and a queue. Here to compare with: it needs negatives.

    Each view is a query once, the other one's key by the slow encoder its positive. Sources: He et
    al., arXiv 1911.05722, eqs. 1–2; both directions are averaged as in MoCo v3 (arXiv
    2104.02057). The projector is that of MoCo v2 (arXiv 2003.04297), without batch normalisation: a
    query and its key would share statistics that the queue's keys do not (section 3.3).

    Args:
        features: D, the length of an embedding.
        config: temperature, momentum, length of the queue and the sizes of the head.
    """

    follows = True
    queue: Tensor
    place: Tensor

    def __init__(self, features: int, config: MoCoConfig):
        super().__init__()
        self.config = config
        self.projector = head((features, config.hidden, config.projection), norm=False)
        self.slow_projector = frozen(copy.deepcopy(self.projector))
        self.register_buffer(
            "queue", F.normalize(torch.randn(config.queue, config.projection), dim=1)
        )
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    def forward(self, branches: Branches, slow: Branches | None = None) -> Loss:
        """The loss of a batch, whose keys then join the queue; its only term is the loss."""
        if slow is None:
            raise ValueError("MoCo expected the branches of the slow encoder, found none")
        queries = [self.projector(h) for h in branches]
        with torch.no_grad():
            keys = [F.normalize(self.slow_projector(h), dim=1) for h in slow]
        temperature = self.config.temperature
        losses = [
            info_nce(query, key, self.queue, temperature)
            for query, key in zip(queries, reversed(keys), strict=True)
        ]
        loss = torch.stack(losses).mean()
        if self.training:
            self._enqueue(torch.cat(keys))
        return loss, {"contrast": loss.detach()}

    def momentum(self, progress: float) -> float:
        """The same at every step, as published."""
        return self.config.momentum

    def follow(self, momentum: float) -> None:
        """Move the slow projector."""
        move_towards(self.slow_projector, self.projector, momentum)

    @torch.no_grad()
    def _enqueue(self, keys: Float[Tensor, "K P"]) -> None:
        """The newest keys take the places of the oldest."""
        keys = keys[-len(self.queue) :]
        rows = (self.place + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        # A new tensor: the loss still has to walk back through the old one.
        self.queue = self.queue.index_copy(0, rows, keys)
        self.place = (self.place + len(keys)) % len(self.queue)


def info_nce(
    query: Float[Tensor, "B P"],
    key: Float[Tensor, "B P"],
    queue: Float[Tensor, "K P"],
    temperature: float,
) -> Float[Tensor, ""]:
    """−log of the share that a query's own key has among it and the queue; arXiv 1911.05722, eq. 1.

    `key` and `queue` have length 1 already.
    """
    query = F.normalize(query, dim=1)
    own = (query * key).sum(dim=1, keepdim=True)
    likeness = torch.cat([own, query @ queue.T], dim=1) / temperature
    return F.cross_entropy(likeness, torch.zeros(len(query), dtype=torch.long, device=query.device))
