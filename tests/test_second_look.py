"""The second look finds the same, however many places it tries at once."""

import math

import numpy as np
import pytest

from poseprep.clip import DETECTED, MISSING, RECOVERED
from poseprep.landmarkers import Landmarks
from poseprep.landmarkers.hand_network import Sight
from poseprep.landmarkers.second_look import SecondLook, Trust
from poseprep.skeleton import HOLISTIC

FRAME = np.zeros((100, 100, 3), np.uint8)
# Everything that is seen may be trusted; the surest counts.
ALL = Trust(
    presence=0.3,
    presence_at_edge=0.3,
    agreement=math.inf,
    wrist=math.inf,
    other_hand=0.0,
    palm=(0.0, math.inf),
    palm_pixels=0.0,
    inside=0.0,
    side=0.0,
    side_when_close=0.0,
)


class Seen:
    """A network that sees a hand in two places of three, more or less surely; it counts calls."""

    def __init__(self) -> None:
        self.calls = self.places = 0

    def __call__(self, frame, places):
        self.calls += 1
        self.places += len(places)
        return [self._one(place) for place in places]

    def _one(self, place):
        chance = math.sin(1000 * float(place.centre @ (3.1, 7.7)) + 100 * place.size) % 1
        if chance < 1 / 3:
            return None
        around = np.random.default_rng(int(1e6 * chance)).normal(0, 0.03, (21, 3))
        around[:, :2] += place.centre
        return Sight(around, chance, 0.5)


def without_hands(seed: int) -> Landmarks:
    points = np.full((543, 3), np.nan, np.float32)
    points[:33] = np.random.default_rng(seed).uniform(0.3, 0.7, (33, 3))
    confidence = (~np.isnan(points[:, 0])).astype(np.float32)
    return Landmarks(points, confidence, np.array([DETECTED, MISSING, MISSING, MISSING], np.uint8))


@pytest.mark.parametrize("together", [2, 3, 8])
def test_places_tried_together_give_the_same_hands(together) -> None:
    one, several = Seen(), Seen()
    slow, quick = SecondLook(ALL), SecondLook(ALL, together)
    found = 0
    for seed in range(12):
        a, b = slow(FRAME, without_hands(seed), one), quick(FRAME, without_hands(seed), several)
        np.testing.assert_array_equal(a.points, b.points)
        np.testing.assert_array_equal(a.source, b.source)
        found += (a.source[[1, 2]] == RECOVERED).sum()
    assert found > 5
    assert several.calls < one.calls
    assert several.places >= one.places


def test_nothing_seen_is_nothing_found() -> None:
    look = SecondLook(ALL, 8)
    found = look(FRAME, without_hands(0), lambda frame, places: [None] * len(places))
    assert np.isnan(found.points[HOLISTIC.parts["left_hand"]]).all()
