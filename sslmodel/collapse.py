"""Is the embedding alive? What is watched while it trains, and when it has collapsed."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from sslmodel.config import PretrainConfig
from sslmodel.runlog import Record

# Below this all embeddings are one spot: plain SL-FPN fell to 0.006. An untrained encoder on a
# drawn corpus has 0.3, and on clips that are hardly different may itself lie below.
DEAD_SPREAD = 0.03
# Of what the untrained encoder has. On real hands the default, its variants, MoCo, BYOL and SimSiam
# stay above 0.9 and 0.57; SL-FPN falls to 0.26 and 0.16, surely worse than its untrained encoder.
SPREAD_SHARE = 0.4
RANK_SHARE = 0.25


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
    # Singular values are the roots of the smaller Gram matrix's eigenvalues, which are cheaper.
    x = embeddings.double()
    gram = x @ x.T if len(x) < x.shape[1] else x.T @ x
    values = torch.linalg.eigvalsh(gram).clamp(min=0.0).sqrt()
    share = values / values.sum().clamp(min=eps) + eps
    return float(torch.exp(-(share * share.log()).sum()))


def alignment(first: Float[Tensor, "B D"], second: Float[Tensor, "B D"]) -> Float[Tensor, ""]:
    """Mean squared distance between a clip's two views, on the sphere; 0 where they are alike.

    Source: Wang and Isola, arXiv 2005.10242, section 4.1.1 (α = 2).
    """
    unit = torch.nn.functional.normalize
    return (unit(first, dim=1) - unit(second, dim=1)).square().sum(dim=1).mean()


def separation(embeddings: Float[Tensor, "B D"]) -> Float[Tensor, ""]:
    """Mean squared distance between two different clips of a batch, on the sphere.

    `1 − alignment / separation` is how invariant an embedding is: 1 where a clip's views are one
    point among many, 0 where they are as far apart as clips are.
    """
    unit = torch.nn.functional.normalize(embeddings, dim=1)
    count = len(unit)
    # Σ‖a − b‖² over all ordered pairs is 2·B·Σ‖a‖² − 2·‖Σa‖².
    total = 2 * count * unit.square().sum() - 2 * unit.sum(dim=0).square().sum()
    return total / max(1, count * (count - 1))


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


def collapsed(records: Sequence[Record], patience: int = 3) -> str | None:
    """Why the embedding has collapsed: the number that is too low; None where it has not.

    It has when the last epochs all have: in the first ones an embedding may dip and recover.

    Args:
        records: the log, from epoch 0, the untrained encoder, by which later ones are judged.
        patience: how many epochs in a row.
    """
    untrained, last = records[0], records[1:][-patience:]
    reasons = [
        collapse_reason(
            record.spread,
            record.rank,
            untrained_spread=untrained.spread,
            untrained_rank=untrained.rank,
        )
        for record in last
    ]
    return reasons[-1] if len(reasons) == patience and all(reasons) else None


def moved_most(first: Mapping[str, float], last: Mapping[str, float]) -> str:
    """The term of the loss that changed the most between two epochs, as a share of itself."""

    def change(name: str) -> float:
        size = abs(first[name]) + abs(last[name])
        return abs(last[name] - first[name]) / size if size else 0.0

    return max(last, key=change)


def collapse_advice(config: PretrainConfig, reason: str, records: Sequence[Record]) -> str:
    """What a collapsed run says to its user."""
    trained = [record for record in records if record.terms]
    first, last = trained[0], trained[-1]
    term = moved_most(first.terms, last.terms)
    stopped = (
        f"Training stopped in epoch {last.epoch} of {config.epochs} "
        "(begun anew with `--no-stop-on-collapse` it trains them all). "
        if last.epoch < config.epochs
        else ""
    )
    other = (
        "a larger `--sl-vicreg-variance`, which pushes dimensions apart"
        if config.objective == "sl-vicreg"
        else "`--objective sl-vicreg`, which pushes dimensions apart"
    )
    return (
        f"the embedding has collapsed: {reason}. All clips look nearly the same to this encoder. "
        f"{stopped}The objective was {config.objective}; its term `{term}` went from "
        f"{first.terms[term]:.3g} in epoch {first.epoch} to {last.terms[term]:.3g}. Try {other}, a "
        "larger `--batch`, or a smaller `--learning-rate`"
    )
