"""The two numbers that watch over the embedding."""

import pytest
import torch

from sslmodel.collapse import collapse_advice, effective_rank, feature_spread, has_collapsed


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


def test_collapse_is_called_collapse() -> None:
    assert has_collapsed(0.006, 30.0)
    assert has_collapsed(0.5, 1.2)
    assert has_collapsed(float("nan"), float("nan"))
    assert not has_collapsed(0.3, 30.0)


def test_the_advice_names_the_objective_and_what_to_try() -> None:
    advice = collapse_advice("sl-fpn", 0.006, 1.1)
    assert "sl-fpn" in advice
    assert "--objective sl-vicreg" in advice
