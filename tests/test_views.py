"""Properties of the augmentations."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from sslmodel_corpus import SMALL
from torch import Tensor

from sslmodel import views
from sslmodel.chance import ClipChance
from sslmodel.config import ViewConfig

MIRROR = torch.as_tensor(np.asarray(SMALL.mirror))
STILL = ViewConfig(**{entry.name: 0.0 for entry in fields(ViewConfig)})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    g = generator(1)
    seen = (torch.rand(5, 12, len(SMALL), generator=g) > 0.2).float()
    return torch.randn(5, 12, len(SMALL), 2, generator=g) * seen[..., None], seen


def augment(batch: tuple[Tensor, Tensor], config: ViewConfig, seed: int = 0) -> views.View:
    return views.augment(*batch, config, SMALL.parts, MIRROR, generator(seed))


def test_permuting_the_ends_shuffles_first_third_and_last_quarter_only(batch) -> None:
    points = torch.arange(12.0).reshape(1, 12, 1, 1).expand(5, 12, len(SMALL), 2)
    moved, _ = views.permute_ends(points, batch[1], generator())
    order = moved[:, :, 0, 0]
    assert (order[:, 4:9] == torch.arange(4.0, 9.0)).all()
    assert (order[:, :4].sort(dim=1).values == torch.arange(4.0)).all()
    assert (order[:, 9:].sort(dim=1).values == torch.arange(9.0, 12.0)).all()
    assert (moved == order[:, :, None, None]).all(), "every point takes the same permutation"
    assert len({tuple(row.tolist()) for row in order}) > 1, "each clip has its own"


def test_permuting_the_ends_takes_seen_along(batch) -> None:
    points, seen = batch
    marked = seen[..., None].expand_as(points)
    moved, moved_seen = views.permute_ends(marked, seen, generator())
    assert (moved[..., 0] == moved_seen).all()


def test_a_rotation_keeps_distances_and_the_origin(batch) -> None:
    points, seen = batch
    turned, _ = views.rotate(points, seen, generator(), degrees=40.0)
    torch.testing.assert_close(turned.norm(dim=-1), points.norm(dim=-1))
    assert not torch.allclose(turned, points)


def test_one_clip_is_turned_as_a_whole(batch) -> None:
    points = torch.ones_like(batch[0])
    turned, _ = views.rotate(points, batch[1], generator(), degrees=40.0)
    assert (turned == turned[:, :1, :1]).all()
    assert len(turned[:, 0, 0, 0].unique()) == 5


def test_depth_stays_where_it_is(batch) -> None:
    points = torch.cat([batch[0], torch.full((*batch[0].shape[:3], 1), 7.0)], dim=-1)
    for change in (
        lambda p: views.rotate(p, batch[1], generator(), degrees=40.0),
        lambda p: views.shear(p, batch[1], generator(), strength=0.3),
        lambda p: views.shift(p, batch[1], generator(), deviation=0.3),
    ):
        assert (change(points)[0][..., 2] == 7.0).all()


def test_a_hand_moves_about_its_wrist_and_the_body_stays(batch) -> None:
    points, seen = batch[0], torch.ones_like(batch[1])
    moved, _ = views.move_hands(
        points, seen, generator(), SMALL.parts, degrees=20.0, scale=0.0, shift=0.0
    )
    hand = SMALL.parts["left_hand"]
    torch.testing.assert_close(moved[:, :, SMALL.parts["body"]], points[:, :, SMALL.parts["body"]])
    torch.testing.assert_close(moved[:, :, hand.start], points[:, :, hand.start])
    before = (points[:, :, hand] - points[:, :, hand.start, None]).norm(dim=-1)
    after = (moved[:, :, hand] - moved[:, :, hand.start, None]).norm(dim=-1)
    torch.testing.assert_close(before, after)


def test_a_tilted_hand_keeps_its_wrist_and_its_shape_in_space(batch) -> None:
    points = torch.randn(5, 12, len(SMALL), 3, generator=generator(2))
    seen = torch.ones_like(batch[1])
    moved, _ = views.tilt_hands(points, seen, generator(), SMALL.parts, degrees=40.0)
    body, hand = SMALL.parts["body"], SMALL.parts["left_hand"]
    torch.testing.assert_close(moved[:, :, body], points[:, :, body])
    torch.testing.assert_close(moved[:, :, hand.start], points[:, :, hand.start])
    before, after = (torch.cdist(x[:, :, hand], x[:, :, hand]) for x in (points, moved))
    torch.testing.assert_close(before, after, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(moved[..., :2], points[..., :2])


def test_a_hand_without_its_wrist_is_not_tilted_and_a_view_tilts(batch) -> None:
    points = torch.randn(5, 12, len(SMALL), 3, generator=generator(2))
    seen = torch.ones_like(batch[1])
    hand = SMALL.parts["left_hand"]
    seen[:, :, hand.start] = 0
    moved, _ = views.tilt_hands(points, seen, generator(), SMALL.parts, degrees=40.0)
    torch.testing.assert_close(moved[:, :, hand], points[:, :, hand])
    tilted = replace(STILL, hand_tilt_degrees=40.0)
    view, _ = views.augment(points, seen, tilted, SMALL.parts, MIRROR, generator())
    assert view.shape[-1] == 2, "what the encoder reads"
    right = SMALL.parts["right_hand"]
    assert not torch.allclose(view[:, :, right], points[:, :, right, :2])
    body = SMALL.parts["body"]
    torch.testing.assert_close(view[:, :, body], points[:, :, body, :2])


def test_a_flat_picture_is_not_tilted(batch) -> None:
    moved, _ = views.tilt_hands(*batch, generator(), SMALL.parts, degrees=40.0)
    assert moved is batch[0]


def test_dropped_points_are_dropped_for_the_whole_clip(batch) -> None:
    seen = torch.ones_like(batch[1])
    _, kept = views.drop_points(batch[0], seen, generator(), share=0.5)
    assert (kept == kept[:, :1]).all()
    assert 0.3 < kept.mean() < 0.7


def test_a_dropped_hand_is_gone_for_a_stretch_and_the_body_stays(batch) -> None:
    seen = torch.ones_like(batch[1])
    _, kept = views.drop_hands(batch[0], seen, generator(), SMALL.parts, chance=1.0)
    assert kept[:, :, SMALL.parts["body"]].all()
    for part in ("left_hand", "right_hand"):
        hand = kept[:, :, SMALL.parts[part]]
        assert (hand == hand[:, :, :1]).all()
        changes = (hand[:, 1:, 0] != hand[:, :-1, 0]).sum(dim=1)
        assert (changes <= 2).all()
        assert 0 < (1 - hand).mean() <= 0.5


def test_warped_time_keeps_the_order_of_a_movement(batch) -> None:
    clock = torch.arange(12.0).reshape(1, 12, 1, 1).expand(5, 12, len(SMALL), 2)
    warped, _ = views.warp_time(
        clock.clone(), torch.ones_like(batch[1]), generator(), crop=0.3, speed=0.5
    )
    assert (warped.diff(dim=1) >= 0).all()
    assert warped.min() >= 0
    assert warped.max() <= 11


def test_warping_time_by_nothing_changes_nothing(batch) -> None:
    points, seen = views.warp_time(*batch, generator(), crop=0.0, speed=0.0)
    torch.testing.assert_close(points, batch[0])
    torch.testing.assert_close(seen, batch[1])


def test_a_missing_frame_does_not_pull_its_neighbours_to_the_origin() -> None:
    points, seen = torch.ones(1, 12, 1, 2), torch.ones(1, 12, 1)
    points[:, 5], seen[:, 5] = 0, 0
    warped, known = views.warp_time(points, seen, generator(), crop=0.3, speed=0.5)
    torch.testing.assert_close(warped, known[..., None].expand_as(warped))


def test_mirroring_twice_changes_nothing(batch) -> None:
    once = views.mirror_clips(*batch, generator(), MIRROR, share=1.0)
    twice = views.mirror_clips(*once, generator(), MIRROR, share=1.0)
    torch.testing.assert_close(twice[0], batch[0])
    torch.testing.assert_close(twice[1], batch[1])


def test_mirroring_swaps_names_as_well_as_x(batch) -> None:
    points, _ = views.mirror_clips(*batch, generator(), MIRROR, share=1.0)
    left, right = SMALL.index("left_hand_wrist"), SMALL.index("right_hand_wrist")
    torch.testing.assert_close(points[:, :, left, 0], -batch[0][:, :, right, 0])
    torch.testing.assert_close(points[:, :, left, 1], batch[0][:, :, right, 1])


def test_mirroring_is_off_by_default() -> None:
    assert ViewConfig().mirror == 0


def test_a_view_of_no_strength_is_the_clip_itself(batch) -> None:
    points, seen = augment(batch, STILL)
    torch.testing.assert_close(points, batch[0])
    torch.testing.assert_close(seen, batch[1])


def test_missing_points_stay_zero_and_are_never_found_again(batch) -> None:
    config = replace(ViewConfig(), permute_ends=0.0, crop=0.0, speed=0.0)
    points, seen = augment(batch, config)
    assert (points[seen == 0] == 0).all()
    assert (seen <= batch[1]).all()


def test_what_missing_points_hold_does_not_matter(batch) -> None:
    points, seen = batch
    rubbish = points + 9 * (1 - seen[..., None])
    for a, b in zip(
        augment((points, seen), ViewConfig()), augment((rubbish, seen), ViewConfig()), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_views_are_decided_by_the_generator_alone(batch) -> None:
    first = augment(batch, ViewConfig(), seed=3)[0]
    assert torch.equal(first, augment(batch, ViewConfig(), seed=3)[0])
    assert not torch.equal(first, augment(batch, ViewConfig(), seed=4)[0])


def test_the_two_views_differ_and_the_original_is_untouched(batch) -> None:
    before = batch[0].clone()
    first, second = (augment(batch, ViewConfig(), seed) for seed in (1, 2))
    assert not torch.allclose(first[0], second[0])
    assert torch.equal(batch[0], before)


def test_a_clips_view_is_the_same_in_any_batch(batch) -> None:
    def view(rows: list[int]) -> Tensor:
        chance = ClipChance(3, 7, torch.tensor(rows))
        made = (batch[0][rows], batch[1][rows])
        return views.augment(*made, ViewConfig(permute_ends=1.0), SMALL.parts, MIRROR, chance)[0]

    together, apart = view([0, 1, 2, 3, 4]), [view([4, 1]), view([3])]
    torch.testing.assert_close(together[[4, 1]], apart[0])
    torch.testing.assert_close(together[[3]], apart[1])
