"""Is the embedding alive? Two numbers that fall when everything is mapped to one spot."""

import torch
from jaxtyping import Float
from torch import Tensor

# Below this all embeddings are one spot: plain SL-FPN fell to 0.006. An untrained encoder on a
# drawn corpus has 0.3, and on clips that are hardly different may itself lie below.
DEAD_SPREAD = 0.03
# Of what the untrained encoder has. Healthy runs double the spread and keep a third of the rank.
SPREAD_SHARE = 0.25
RANK_SHARE = 0.1


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


def lowest_spread(untrained: float) -> float:
    """The spread below which a run has collapsed, by the spread of its untrained encoder."""
    return max(SPREAD_SHARE * untrained, DEAD_SPREAD if untrained >= DEAD_SPREAD else 0.0)


def lowest_rank(untrained: float) -> float:
    """The effective rank below which a run has collapsed, by that of its untrained encoder.

    Rank 1 is nothing: all embeddings in one direction. Few clips have a low rank from the
    start, since it never exceeds their number.
    """
    return 1 + RANK_SHARE * (untrained - 1)


def collapse_reason(
    spread: float, rank: float, *, untrained_spread: float, untrained_rank: float
) -> str | None:
    """The number that says that clips can hardly be told apart any more; None where none does."""
    watched = (
        ("feature spread", spread, untrained_spread, lowest_spread(untrained_spread)),
        ("effective rank", rank, untrained_rank, lowest_rank(untrained_rank)),
    )
    for name, value, untrained, lowest in watched:
        if value < lowest:
            return (
                f"{name} {value:.3g}, below {lowest:.3g} (the untrained encoder: {untrained:.3g})"
            )
    return None


def collapse_advice(objective: str, reason: str) -> str:
    """What a collapsed run says to its user."""
    other = (
        "a larger `--sl-vicreg-variance`, which pushes dimensions apart"
        if objective == "sl-vicreg"
        else "`--objective sl-vicreg`, which pushes dimensions apart"
    )
    return (
        f"the embedding has collapsed: {reason}. All clips look nearly the same to this encoder. "
        f"The objective was {objective}; try {other}, or a smaller `--learning-rate`"
    )
