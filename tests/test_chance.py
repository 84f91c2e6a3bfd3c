"""Random numbers by seed, epoch and clip."""

import pytest
import torch

from sslmodel.chance import ClipChance

CLIPS = torch.arange(4000)


def test_uniform_numbers_are_even() -> None:
    u = ClipChance(0, 1, CLIPS).uniform(4000, 250)
    assert 0 <= u.min() < u.max() < 1
    share = torch.histc(u, 20, 0, 1) / u.numel()
    assert (share - 0.05).abs().max() < 0.001
    assert u.var().item() == pytest.approx(1 / 12, rel=0.01)


def test_normal_numbers_have_the_moments_of_the_normal() -> None:
    n = ClipChance(0, 1, CLIPS).normal(4000, 250)
    moments = [n.pow(k).mean().item() for k in (1, 2, 3, 4)]
    assert moments == pytest.approx([0, 1, 0, 3], abs=0.02)
    assert n.isfinite().all()


def test_streams_have_nothing_to_do_with_each_other() -> None:
    streams = [
        ClipChance(seed, epoch, CLIPS[:500] + shift, view).uniform(500, 100).flatten()
        for seed, epoch, shift, view in (
            (0, 1, 0, 0),
            (1, 1, 0, 0),
            (0, 2, 0, 0),
            (0, 1, 0, 1),
            (0, 1, 500, 0),
            (1, 0, 0, 0),
        )
    ]
    correlation = torch.corrcoef(torch.stack(streams)) - torch.eye(6)
    assert correlation.abs().max() < 0.02


def test_neighbouring_numbers_and_clips_have_nothing_to_do_with_each_other() -> None:
    u = ClipChance(5, 3, CLIPS).uniform(4000, 50)
    along = torch.corrcoef(torch.stack([u[:, 1:].flatten(), u[:, :-1].flatten()]))[0, 1]
    across = torch.corrcoef(torch.stack([u[1:].flatten(), u[:-1].flatten()]))[0, 1]
    assert max(abs(along), abs(across)) < 0.01


def test_a_draw_goes_on_where_the_last_one_stopped() -> None:
    whole, parts = (ClipChance(0, 1, CLIPS[:3]) for _ in range(2))
    expected = whole.uniform(3, 7)
    assert torch.equal(torch.cat([parts.uniform(3, 2), parts.uniform(3, 5)], dim=1), expected)
    expected = whole.uniform(3, 500)  # more than are drawn ahead
    drawn = [parts.uniform(3, count) for count in (1, 60, 1, 1, 400, 37)]
    assert torch.equal(torch.cat(drawn, dim=1), expected)


def test_the_first_axis_is_the_clips() -> None:
    with pytest.raises(ValueError, match="first axis of 3 clips, found 4"):
        ClipChance(0, 1, CLIPS[:3]).uniform(4, 2)
