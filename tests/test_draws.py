"""Few labels: how many, of whom, and always one of a sign."""

import numpy as np
import pytest

from sslmodel.draws import draw_fraction, draw_shots

SIGNS = np.repeat(np.arange(40), 25)
TRAIN = np.arange(1000) % 5 > 0
VAL = ~TRAIN


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 1.0])
def test_a_share_of_the_labels_is_that_share_of_every_sign(fraction: float) -> None:
    draw = draw_fraction(SIGNS, TRAIN, VAL, fraction, seed=3)
    assert not (draw.train & ~TRAIN).any()
    assert not (draw.val & ~VAL).any()
    counts = np.bincount(SIGNS[draw.train])
    assert (np.abs(counts - 20 * fraction) < 1).all()
    assert abs(draw.val.sum() - 200 * fraction) <= 1
    assert draw.labelled == draw.train.sum() + draw.val.sum()


def test_every_sign_keeps_a_label() -> None:
    draw = draw_fraction(SIGNS, TRAIN, VAL, 0.001, seed=0)
    assert (np.bincount(SIGNS[draw.train]) == 1).all()
    assert draw.val.sum() == 1


def test_draws_of_one_seed_are_nested_and_those_of_others_differ() -> None:
    small, large = (draw_fraction(SIGNS, TRAIN, VAL, f, seed=1) for f in (0.1, 0.3))
    assert not (small.train & ~large.train).any()
    assert not (small.val & ~large.val).any()
    other = draw_fraction(SIGNS, TRAIN, VAL, 0.1, seed=2)
    assert (other.train != small.train).any()
    again = draw_fraction(SIGNS, TRAIN, VAL, 0.1, seed=1)
    assert (again.train == small.train).all()


def test_small_signs_come_out_right_on_average() -> None:
    signs = np.repeat(np.arange(500), 4)
    train = np.ones(2000, bool)
    draw = draw_fraction(signs, train, ~train, 0.4, seed=0)
    assert abs(draw.train.sum() - 800) < 60


def test_shots_are_so_many_of_each_sign_or_all_that_there_are() -> None:
    signs = np.array([0] * 9 + [1] * 3 + [-1] * 4)
    draw = draw_shots(signs, signs >= 0, 5, seed=0)
    assert np.bincount(signs[draw.train]).tolist() == [5, 3]
    assert not draw.val.any()
