"""Each objective against one case worked by hand, and what it must prefer."""

import math

import pytest
import torch

from sslmodel.config import (
    BarlowTwinsConfig,
    BYOLConfig,
    MoCoConfig,
    PretrainConfig,
    SLFPNConfig,
    SLSIGRegConfig,
    SLVICRegConfig,
)
from sslmodel.objectives import OBJECTIVES, Objective
from sslmodel.objectives.barlow_twins import BarlowTwins, barlow_terms
from sslmodel.objectives.byol import BYOL, distance
from sslmodel.objectives.moco import MoCo, info_nce
from sslmodel.objectives.objective import move_towards
from sslmodel.objectives.simclr import nt_xent
from sslmodel.objectives.simsiam import likeness
from sslmodel.objectives.sl_fpn import SLFPN, fpn_terms
from sslmodel.objectives.sl_sigreg import SLSIGReg, normality
from sslmodel.objectives.sl_vicreg import SLVICReg
from sslmodel.objectives.vicreg import covariance, variance, vicreg_terms


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
    loss, terms = objective(list(torch.randn(3, 5, 8)))
    torch.testing.assert_close(loss, terms["views"] + terms["original"] + 0.25 * terms["predict"])


def test_the_terms_are_weighed_as_the_settings_say() -> None:
    torch.manual_seed(0)
    h = list(torch.randn(3, 5, 8))
    sizes = {"hidden": 4, "projection": 4}
    published = SLFPN(
        8, SLFPNConfig(views_weight=2, original_weight=3, predictor_weight=5, **sizes)
    )
    loss, terms = published(h)
    torch.testing.assert_close(
        loss, 2 * terms["views"] + 3 * terms["original"] + 5 * terms["predict"]
    )
    loss, terms = SLVICReg(8, SLVICRegConfig(invariance=2, variance=3, covariance=5, **sizes))(h)
    expected = 2 * terms["invariance"] + 3 * terms["variance"] + 5 * terms["covariance"]
    torch.testing.assert_close(loss, expected)
    loss, terms = SLSIGReg(8, SLSIGRegConfig(normality=0.25, **sizes))(h)
    torch.testing.assert_close(loss, 0.75 * terms["invariance"] + 0.25 * terms["normality"])
    loss, terms = BarlowTwins(8, BarlowTwinsConfig(redundancy=0.25, **sizes))(h[:2])
    torch.testing.assert_close(loss, terms["invariance"] + 0.25 * terms["redundancy"])


@pytest.mark.parametrize(
    ("name", "crossed"), [("byol", 2 + 2), ("simsiam", 0.0), ("moco", math.log(2))]
)
def test_each_view_guesses_the_other_and_not_itself(name: str, crossed: float) -> None:
    objective = make(name)
    for head in ("projector", "predictor", "slow_projector"):
        if hasattr(objective, head):
            setattr(objective, head, torch.nn.Identity())
    # Two views at right angles; of MoCo's queue one key, at a right angle to both.
    first, second = torch.eye(32)[:1].expand(4, 32), torch.eye(32)[1:2].expand(4, 32)
    if name == "moco":
        objective.queue = torch.eye(32)[2:3]
    loss = objective([first, second], [first, second] if objective.follows else None)[0]
    assert loss.item() == pytest.approx(crossed, abs=1e-6)


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
    assert objective([collapsed] * 3)[0] > objective([spread] * 3)[0]


def test_normality_by_hand() -> None:
    # Two clips at the origin: 2 · ∫ (1 − exp(−t²/2))² exp(−t²/2) dt = 2 √2π (1 − 2/√2 + 1/√3).
    collapsed = torch.zeros(1, 2, 3)
    expected = 2 * math.sqrt(2 * math.pi) * (1 - math.sqrt(2) + 1 / math.sqrt(3))
    found = normality(collapsed, torch.eye(3)[:, :1])
    assert found.item() == pytest.approx(expected, abs=1e-3)


def test_only_a_standard_normal_cloud_in_every_direction_costs_nothing() -> None:
    torch.manual_seed(0)
    cloud, axes = torch.randn(1, 4000, 3), torch.eye(3)
    assert normality(cloud, axes).max() < 3  # as large as chance makes it, whatever the batch
    for unfit in (3 * cloud, 0.3 * cloud, cloud + 1, cloud.sign()):
        assert normality(unfit, axes).min() > 30
    twice = cloud[..., :1].expand(-1, -1, 3)  # each axis is normal, the diagonal is not
    diagonal = torch.full((3, 1), 3**-0.5)
    assert normality(twice, axes).max() < 3
    assert normality(twice, diagonal).min() > 30


def test_sigreg_judges_along_new_directions_that_its_seed_decides() -> None:
    def losses() -> list[float]:
        torch.manual_seed(0)
        objective = SLSIGReg(8, SLSIGRegConfig(hidden=4, projection=4, directions=2))
        branches = list(torch.randn(3, 5, 8))
        return [objective(branches)[1]["normality"].item() for _ in range(3)]

    assert len(set(losses())) == 3
    assert losses() == losses()


def test_sl_fpn_does_not_mind_a_collapsed_batch() -> None:
    # What is wrong with it as published: nothing holds embeddings apart.
    z = torch.ones(4, 3)
    assert sum(fpn_terms(z, z, z, z).values()) == 0


def branches_of(objective: Objective, clips: int = 6, features: int = 32) -> list[torch.Tensor]:
    torch.manual_seed(1)
    count = 3 if objective.reads_original else 2
    return [torch.randn(clips, features, requires_grad=True) for _ in range(count)]


def loss_of(objective: Objective, branches: list[torch.Tensor]) -> torch.Tensor:
    slow = [branch.detach() for branch in branches] if objective.follows else None
    return objective(branches, slow)[0]


def make(name: str) -> Objective:
    torch.manual_seed(0)
    return OBJECTIVES[name](32, PretrainConfig())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_gives_one_loss_with_gradients_and_its_terms(name: str) -> None:
    objective = make(name)
    branches = branches_of(objective)
    slow = [branch.detach() for branch in branches] if objective.follows else None
    loss, terms = objective(branches, slow)
    loss.backward()
    assert loss.shape == ()
    assert terms
    assert all(branch.grad is not None and branch.grad.isfinite().all() for branch in branches)
    learned = [weight for weight in objective.parameters() if weight.requires_grad]
    assert all(weight.grad is not None for weight in learned)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_order_of_a_batch_does_not_matter(name: str) -> None:
    objective = make(name)
    branches = branches_of(objective)
    expected = loss_of(objective, branches)
    torch.testing.assert_close(loss_of(make(name), [b.flip(0) for b in branches]), expected)


@pytest.mark.parametrize(
    "name",
    [name for name in OBJECTIVES if name != "sl-fpn"],  # its predictor sees one view
)
def test_the_two_views_count_alike(name: str) -> None:
    branches = branches_of(make(name))
    swapped = [*branches[:-2], branches[-1], branches[-2]]
    torch.testing.assert_close(loss_of(make(name), swapped), loss_of(make(name), branches))


@pytest.mark.parametrize(
    "name", ["simclr", "moco", "vicreg", "sl-vicreg", "sl-sigreg", "barlow-twins"]
)
def test_alike_views_of_different_clips_cost_least(name: str) -> None:
    objective = make(name)
    branches = branches_of(objective, clips=64)
    alike = loss_of(make(name), [branches[0]] * len(branches))
    assert alike < loss_of(make(name), branches)


def test_nt_xent_by_hand() -> None:
    # Two clips at right angles, each view like its partner; τ = 1: e / (e + 1 + 1).
    z = torch.eye(2)
    expected = -math.log(math.e / (math.e + 2))
    assert nt_xent(z, 5 * z, 1.0).item() == pytest.approx(expected)


def test_info_nce_by_hand() -> None:
    # The own key at the query, one other at a right angle, one opposite; τ = 0.5.
    query, key = torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    queue = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    expected = -math.log(math.exp(2) / (math.exp(2) + 1 + math.exp(-2)))
    assert info_nce(query, key, queue, 0.5).item() == pytest.approx(expected)


def test_mocos_queue_keeps_the_newest_keys() -> None:
    objective = MoCo(8, MoCoConfig(queue=6, hidden=4, projection=3))
    before = objective.queue.clone()
    h = torch.randn(2, 8)
    objective([h, h], [h, h])
    assert not torch.equal(objective.queue[:4], before[:4])
    assert torch.equal(objective.queue[4:], before[4:])
    objective([h, h], [h, h])
    assert not torch.equal(objective.queue[4:], before[4:])
    assert int(objective.place) == 2
    torch.testing.assert_close(objective.queue.norm(dim=1), torch.ones(6))


def test_byols_distance_by_hand() -> None:
    guess, target = torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, 1.0], [3.0, 3.0]])
    assert distance(guess, target).item() == pytest.approx(1.0)  # (2 + 0) / 2


def test_byols_momentum_rises_to_one() -> None:
    objective = BYOL(8, BYOLConfig(momentum=0.9))
    assert objective.momentum(0) == pytest.approx(0.9)
    assert objective.momentum(0.5) == pytest.approx(0.95)
    assert objective.momentum(1) == pytest.approx(1)


def test_a_slow_copy_moves_by_its_share_and_takes_buffers_over() -> None:
    slow, fast = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    with torch.no_grad():
        slow.weight.fill_(1.0), fast.weight.fill_(3.0)
        fast.running_mean.fill_(7.0)
    move_towards(slow, fast, 0.75)
    assert slow.weight.tolist() == [1.5, 1.5]
    assert slow.running_mean.tolist() == [7.0, 7.0]


@pytest.mark.parametrize("name", ["moco", "byol"])
def test_what_follows_learns_nothing_by_itself(name: str) -> None:
    objective = make(name)
    assert not any(weight.requires_grad for weight in objective.slow_projector.parameters())
    with pytest.raises(ValueError, match="slow encoder"):
        objective(branches_of(objective))
    with torch.no_grad():
        for weight in objective.projector.parameters():
            weight.add_(1)
    before = [weight.clone() for weight in objective.slow_projector.parameters()]
    objective.follow(0.5)
    pairs = zip(before, objective.slow_projector.parameters(), strict=True)
    assert all(torch.allclose(new, old + 0.5) for old, new in pairs)


def test_simsiams_likeness_by_hand() -> None:
    guess, target = torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, -1.0]])
    assert likeness(guess, target).item() == pytest.approx(-0.5)  # −(1 + 0) / 2
    target.requires_grad_()
    assert not likeness(guess, target).requires_grad


def test_barlow_terms_by_hand() -> None:
    # The second dimension is the first one's opposite in both views: C = [[1, −1], [−1, 1]].
    z = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    terms = barlow_terms(z, 3 * z)
    assert terms["invariance"].item() == pytest.approx(0, abs=1e-6)
    assert terms["redundancy"].item() == pytest.approx(2, abs=1e-3)


def test_a_random_predictor_is_another_one_at_every_step() -> None:
    objective = SLFPN(8, SLFPNConfig(predictor="random", hidden=4, projection=4))
    assert not any(weight.requires_grad for weight in objective.predictor.parameters())
    h = torch.randn(3, 5, 8)
    begun = objective.series.clone()
    losses = [objective(list(h))[1]["predict"].item() for _ in range(3)]
    assert len(set(losses)) == 3
    torch.rand(5)  # nobody else's draws count
    objective.series.copy_(begun)
    assert [objective(list(h))[1]["predict"].item() for _ in range(3)] == losses
