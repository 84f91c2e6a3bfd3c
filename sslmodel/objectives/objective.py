"""What every objective is: a loss over branches, with heads of its own."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

# Embeddings of one batch, (B, D) each: the original clips first where an objective reads them,
# then their two views.
Branches = Sequence[Float[Tensor, "B D"]]
Loss = tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]


class Objective(nn.Module):
    """A self-supervised loss over the embeddings of a batch.

    Called with `branches`, and with `slow`, the same branches as a slow copy of the encoder embeds
    them (None where the objective follows none), it returns the loss and its named terms,
    unweighted.

    Attributes:
        reads_original: whether the clips as they are are a third branch, before the two views.
        follows: whether it learns from a slow copy of the encoder, a moving average of it.
    """

    reads_original = False
    follows = False

    def forward(self, branches: Branches, slow: Branches | None = None) -> Loss:
        """The loss of a batch, and its terms."""
        raise NotImplementedError

    def momentum(self, progress: float) -> float:
        """How much of the slow copy stays after a step; `progress` runs from 0 to 1."""
        raise ValueError(f"{type(self).__name__} follows no slow copy")

    def follow(self, momentum: float) -> None:
        """Move the slow copies of its own heads; `pretrain` moves that of the encoder."""


@torch.no_grad()
def move_towards(slow: nn.Module, fast: nn.Module, momentum: float) -> None:
    """slow ← momentum · slow + (1 − momentum) · fast, for all weights; buffers are copied.

    Source: He et al., MoCo, arXiv 1911.05722, eq. 2.
    """
    for own, other in zip(slow.parameters(), fast.parameters(), strict=True):
        own.lerp_(other, 1 - momentum)
    for kept, newest in zip(slow.buffers(), fast.buffers(), strict=True):
        kept.copy_(newest)


def frozen(module: nn.Module) -> nn.Module:
    """The same module, whose weights no optimiser moves."""
    return module.requires_grad_(False)


def head(sizes: Sequence[int], norm: bool = True, last_norm: bool = False) -> nn.Sequential:
    """Linear layers of these sizes, batch normalisation (`norm`) and ReLU between them.

    Batch normalisation keeps small corpora from losing dimensions (docs/method.md).
    `last_norm` also normalises the output, without a scale of its own.
    """
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        # A normalisation that follows takes the bias away again.
        layers.append(nn.Linear(a, b, bias=not last_norm if last else not norm))
        if not last:
            layers += [nn.BatchNorm1d(b), nn.ReLU()] if norm else [nn.ReLU()]
        elif last_norm:
            layers.append(nn.BatchNorm1d(b, affine=False))
    return nn.Sequential(*layers)
