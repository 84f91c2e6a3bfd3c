"""Is the embedding alive? Two numbers that fall when everything is mapped to one spot."""

import torch
from jaxtyping import Float
from torch import Tensor

# An untrained encoder's spread lies well above 0.1; plain SL-FPN fell to 0.006.
COLLAPSED_SPREAD = 0.03
COLLAPSED_RANK = 2.0


def feature_spread(embeddings: Float[Tensor, "B D"]) -> float:
    """Mean standard deviation of the dimensions of normalised embeddings, times √D.

    1 where embeddings fill the sphere evenly, 0 where they are all the same; SimSiam
    (Chen and He, 2021, fig. 2) watches the same number.
    """
    unit = torch.nn.functional.normalize(embeddings.float(), dim=1)
    return float(unit.std(dim=0, unbiased=False).mean() * embeddings.shape[1] ** 0.5)


def effective_rank(embeddings: Float[Tensor, "B D"], eps: float = 1e-7) -> float:
    """RankMe: the exponential of the entropy of the singular values' shares.

    Between 1 and min(B, D). Source: Garrido et al., arXiv 2210.02885, eq. 1.
    """
    values = torch.linalg.svdvals(embeddings.float())
    share = values / values.sum().clamp(min=eps) + eps
    return float(torch.exp(-(share * share.log()).sum()))


def has_collapsed(spread: float, rank: float) -> bool:
    """Whether two clips can hardly be told apart any more."""
    return not (spread >= COLLAPSED_SPREAD and rank >= COLLAPSED_RANK)


def collapse_advice(objective: str, spread: float, rank: float) -> str:
    """What a collapsed run says to its user."""
    return (
        f"the embedding has collapsed: spread {spread:.3f} (below {COLLAPSED_SPREAD} is dead), "
        f"effective rank {rank:.1f}. All clips look nearly the same to this encoder. "
        f"The objective was {objective!r}; try `--objective sl-vicreg`, which pushes "
        "dimensions apart, or a smaller `--learning-rate`, or fewer epochs."
    )
