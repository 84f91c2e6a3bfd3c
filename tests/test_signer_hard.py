"""The hard clips: what they show is what their truth says."""

import itertools

import numpy as np
import pytest

from poseprep.signer.hard import (
    HARD,
    HEIGHT,
    VISIBLE_JOINTS,
    WIDTH,
    HardTake,
    draw_hard,
    hard_takes,
)
from poseprep.skeleton import HOLISTIC

HANDS = ("left_hand", "right_hand")


def truth(kind, signer=0, seed=0):
    return draw_hard(HardTake(kind, signer, seed))[1]


def first_frames(kind, signer=0, seed=0, count=2):
    return list(itertools.islice(draw_hard(HardTake(kind, signer, seed))[0], count))


def hands_seen(clip):
    return np.stack([clip.found(part) for part in HANDS], 1)


@pytest.mark.parametrize("kind", HARD)
def test_a_hand_is_told_exactly_where_enough_of_it_is_in_the_picture(kind):
    clip = truth(kind)
    for part in HANDS:
        points = clip.part(part)[clip.found(part)][..., :2]
        inside = ((points >= 0) & (points < (WIDTH / HEIGHT, 1))).all(-1).sum(1)
        assert (inside >= VISIBLE_JOINTS).all()
    wrists = clip.points[:, HOLISTIC.indices(("left_wrist", "right_wrist"))]
    assert not np.isnan(wrists).any()


def test_hands_leave_the_picture_where_the_kind_says_so():
    assert hands_seen(truth("gone")).mean(axis=0).tolist() == [0, 1]
    half_out = hands_seen(truth("half_out")).mean(axis=0)
    assert ((half_out > 0.2) & (half_out < 1)).all()
    assert hands_seen(truth("over_face")).all()


def test_signers_take_turns_with_the_hand_that_acts():
    left, right = hands_seen(truth("gone", signer=1)).mean(axis=0)
    assert left > 0.9 > right == 0


def test_crossing_hands_do_cross():
    clip = truth("crossing")
    left, right = (clip.points[:, HOLISTIC.index(f"{side}_wrist"), 0] for side in ("left", "right"))
    assert (left - right).max() > 0 > (left - right).min()  # the signer's left is on the right


def test_the_same_take_gives_the_same_pixels_and_another_seed_others():
    first, again = first_frames("dim"), first_frames("dim")
    assert np.array_equal(first, again)
    assert not np.array_equal(first, first_frames("dim", seed=1))
    assert first[0].shape == (HEIGHT, WIDTH, 3)


def test_little_light_makes_dark_pictures():
    assert first_frames("dim")[0].mean() < 0.5 * first_frames("resting")[0].mean()


def test_takes_come_in_the_order_of_their_keys():
    keys = [take.key for take in hard_takes(signers=3)]
    assert keys == sorted(set(keys))
    assert len(keys) == 3 * len(HARD)
