"""The two numbers that watch over the embedding."""

import pytest
import torch

from sslmodel.collapse import (
    alignment,
    collapse_advice,
    collapse_reason,
    collapsed,
    effective_rank,
    feature_spread,
    moved_most,
    separation,
)
from sslmodel.config import PretrainConfig
from sslmodel.objectives import OBJECTIVES
from sslmodel.runlog import Record


def test_spread_is_one_on_the_whole_sphere_and_zero_on_one_spot() -> None:
    torch.manual_seed(0)
    assert feature_spread(torch.randn(2000, 64)) == pytest.approx(1.0, abs=0.02)
    assert feature_spread(torch.ones(20, 64)) == pytest.approx(0.0, abs=1e-6)


def test_spread_does_not_depend_on_length() -> None:
    torch.manual_seed(0)
    x = torch.randn(50, 8)
    assert feature_spread(x) == pytest.approx(feature_spread(1000 * x), rel=1e-5)


def test_rank_counts_the_directions_in_use() -> None:
    assert effective_rank(torch.eye(4)) == pytest.approx(4.0, rel=1e-4)
    assert effective_rank(torch.ones(10, 4)) == pytest.approx(1.0, rel=1e-4)


def reason(spread: float, rank: float, untrained: tuple[float, float] = (0.3, 75.0)) -> str | None:
    return collapse_reason(spread, rank, untrained_spread=untrained[0], untrained_rank=untrained[1])


def test_a_collapse_is_judged_by_the_untrained_encoder_and_names_the_number() -> None:
    assert reason(0.7, 29.0) is None  # what healthy runs come to
    assert "feature spread 0.07, below 0.12" in (reason(0.07, 30.0) or "")
    assert "effective rank 1.2, below 19.5" in (reason(0.5, 1.2) or "")


def test_sl_fpn_on_real_hands_has_collapsed() -> None:
    # After 45 epochs on gislr40 (docs/method.md); its scores are below the untrained encoder's.
    assert reason(0.133, 30.7, (0.514, 189.8))


def test_clips_that_are_hardly_different_have_not_collapsed_before_the_first_step() -> None:
    for untrained in ((0.3, 75.0), (0.02, 1.5), (0.1, 2.0)):
        assert reason(*untrained, untrained) is None
    assert reason(0.028, 2.0, (0.1, 2.0)), "below the floor that the untrained encoder was above"
    assert reason(0.001, 1.5, (0.02, 1.5))


def records(*spreads: float) -> list[Record]:
    first = Record(0, 0.3, 20.0)
    terms = [{"pull": 0.1 / 10**i, "push": 0.5} for i in range(len(spreads))]
    later = zip(spreads, terms, strict=True)
    return [first, *(Record(i, s, 20.0, 1.0, t) for i, (s, t) in enumerate(later, start=1))]


def test_an_embedding_has_collapsed_when_it_stays_so_for_three_epochs() -> None:
    assert collapsed(records()) is None
    assert collapsed(records(0.01, 0.01)) is None
    assert collapsed(records(0.01, 0.01, 0.2, 0.01)) is None
    assert "feature spread 0.02" in (collapsed(records(0.3, 0.01, 0.01, 0.02)) or "")


def test_the_term_that_moved_the_most_is_named() -> None:
    assert moved_most({"pull": 0.1, "push": 0.5}, {"pull": 1e-5, "push": 0.4}) == "pull"
    assert moved_most({"a": -0.1, "b": 3.0}, {"a": -0.99, "b": 3.1}) == "a"
    assert moved_most({"a": 0.0}, {"a": 0.0}) == "a"


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_advice_is_never_to_use_what_was_used(objective: str) -> None:
    config = PretrainConfig(objective=objective, epochs=9)
    advice = collapse_advice(config, "feature spread 0.006", records(0.3, 0.01, 0.01))
    assert "feature spread 0.006" in advice
    assert "its term `pull` went from 0.1 in epoch 1 to 0.001" in advice
    assert "stopped in epoch 3 of 9" in advice
    assert f"--objective {objective}" not in advice
    assert "Try " in advice


def test_alignment_and_separation_by_hand() -> None:
    z = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    turned = torch.tensor([[0.0, 1.0], [0.0, 3.0], [-2.0, 0.0]])
    assert alignment(z, turned).item() == pytest.approx(2 / 3)  # (√2² + 0 + 0) / 3
    assert separation(z).item() == pytest.approx(8 / 3)  # (2 + 2 + 4) / 3
    assert separation(torch.ones(4, 3)).item() == pytest.approx(0, abs=1e-6)
