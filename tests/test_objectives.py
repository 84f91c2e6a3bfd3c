"""Each objective against one case worked by hand, and what it must prefer."""

import pytest
import torch

from sslmodel.config import PretrainConfig, SLFPNConfig, SLVICRegConfig
from sslmodel.objectives import OBJECTIVES
from sslmodel.objectives.sl_fpn import SLFPN, fpn_terms
from sslmodel.objectives.sl_vicreg import SLVICReg, covariance, variance, vicreg_terms


def test_sl_fpn_by_hand() -> None:
    z, z1 = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 1.0]])
    z2, predicted = torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 1.0]])
    terms = fpn_terms(z, z1, z2, predicted)
    assert terms["views"] == 2.0  # (0² + 2²) / 2
    assert terms["original"] == 1.0  # (1² + 1²) / 2
    assert terms["predict"] == 2.5  # (1² + 2²) / 2


def test_sl_fpn_weighs_the_predictors_term_by_lambda() -> None:
    torch.manual_seed(0)
    objective = SLFPN(8, SLFPNConfig(predictor_weight=0.25, hidden=4, projection=4))
    loss, terms = objective(*torch.randn(3, 5, 8))
    torch.testing.assert_close(loss, terms["views"] + terms["original"] + 0.25 * terms["predict"])


def test_the_predictor_is_trained_and_its_target_is_not() -> None:
    objective = SLFPN(8, SLFPNConfig(hidden=4, projection=4))
    z, z2 = torch.randn(5, 4, requires_grad=True), torch.randn(5, 4, requires_grad=True)
    fpn_terms(z.detach(), z.detach(), z2, objective.predictor(z))["predict"].backward()
    assert all(p.grad is not None for p in objective.predictor.parameters())
    assert z.grad is not None
    assert z2.grad is None


def test_sl_vicreg_by_hand() -> None:
    # Two clips, two dimensions that move together: each varies by 2, covariance 2.
    z = torch.tensor([[0.0, 0.0], [2.0, 2.0]])
    terms = vicreg_terms([z, z, z + 1])
    assert terms["invariance"] == pytest.approx(2 / 3)  # pairs: 0, 1, 1
    assert terms["variance"] == 0.0  # √2 is above 1
    assert terms["covariance"] == 4.0  # (2² + 2²) / 2


def test_variance_of_a_collapsed_dimension_is_missed_in_full() -> None:
    assert variance(torch.ones(4, 3)) == pytest.approx(0.99)  # 1 − √1e-4
    assert variance(torch.tensor([[-10.0], [10.0]])) == 0.0


def test_independent_dimensions_have_no_covariance() -> None:
    z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert covariance(z) == 0.0


def test_a_collapsed_batch_costs_more_than_a_spread_one() -> None:
    torch.manual_seed(0)
    objective = SLVICReg(16, SLVICRegConfig(hidden=16, projection=8))
    spread = 10 * torch.randn(64, 16)
    collapsed = spread[:1].expand(64, 16)
    assert objective(collapsed, collapsed, collapsed)[0] > objective(spread, spread, spread)[0]


def test_sl_fpn_does_not_mind_a_collapsed_batch() -> None:
    # What is wrong with it as published: nothing holds embeddings apart.
    z = torch.ones(4, 3)
    assert sum(fpn_terms(z, z, z, z).values()) == 0


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_gives_one_loss_with_gradients_and_its_terms(name: str) -> None:
    torch.manual_seed(0)
    objective = OBJECTIVES[name](32, PretrainConfig())
    branches = [torch.randn(6, 32, requires_grad=True) for _ in range(3)]
    loss, terms = objective(*branches)
    loss.backward()
    assert loss.shape == ()
    assert terms
    assert all(branch.grad is not None and branch.grad.isfinite().all() for branch in branches)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_order_of_a_batch_does_not_matter(name: str) -> None:
    torch.manual_seed(0)
    objective = OBJECTIVES[name](32, PretrainConfig())
    h = torch.randn(3, 6, 32)
    torch.testing.assert_close(objective(*h)[0], objective(*h.flip(1))[0])
