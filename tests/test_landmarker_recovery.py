"""The second look for lost hands, with the real networks."""

import itertools

import numpy as np
import pytest

from poseprep.clip import DETECTED, MISSING, RECOVERED
from poseprep.landmarkers import LANDMARKERS, follow
from poseprep.signer.hard import HardTake, draw_hard
from poseprep.signer.recovery import measure_recovery
from poseprep.skeleton import FINGERTIPS, HOLISTIC

pytestmark = pytest.mark.slow

HANDS = {"left_hand": 1, "right_hand": 2}


def look(frames, recover):
    found = follow(LANDMARKERS["mediapipe"](face="none", recover=recover), frames)
    return [np.stack(values) for values in zip(*found, strict=True)]


@pytest.fixture(scope="module")
def lost():
    """A clip in which Holistic loses hands: both looks at it, and the truth."""
    frames, truth = draw_hard(HardTake("crossing", signer=0, seed=1))
    frames = list(frames)
    return look(frames, recover=False), look(frames, recover=True), truth


def test_what_holistic_finds_stays_as_it_is(lost):
    (points, confidence, source), (again, sure, where), _ = lost
    assert set(np.unique(source)) <= {MISSING, DETECTED}
    for part, i in HANDS.items():
        found = source[:, i] == DETECTED
        assert np.array_equal(
            points[found][:, HOLISTIC.parts[part]], again[found][:, HOLISTIC.parts[part]]
        )
    assert np.array_equal(points[:, :33], again[:, :33])
    assert np.array_equal(confidence[:, :33], sure[:, :33])
    assert ((where == source) | (where == RECOVERED)).all()


def test_lost_hands_come_back_where_they_are(lost):
    (*_, source), (points, confidence, where), truth = lost
    errors, left, right = [], *HOLISTIC.indices(("left_shoulder", "right_shoulder"))
    for part, i in HANDS.items():
        back = where[:, i] == RECOVERED
        assert (source[back, i] == MISSING).all()
        assert (confidence[back][:, HOLISTIC.parts[part]] == 1).all()
        tips = HOLISTIC.indices(f"{part}_{tip}" for tip in FINGERTIPS)
        error = np.linalg.norm(points[back][:, tips, :2] - truth.points[back][:, tips, :2], axis=-1)
        width = np.linalg.norm(truth.points[:, left, :2] - truth.points[:, right, :2], axis=-1)
        errors += (error / width[back][:, None]).ravel().tolist()
    assert errors
    assert np.median(errors) <= 0.08
    assert np.percentile(errors, 95) <= 0.25


def test_the_same_frames_give_the_same_points(lost):
    frames, _ = draw_hard(HardTake("crossing", signer=0, seed=1))
    again = look(itertools.islice(frames, 20), recover=True)
    assert all(
        np.array_equal(a[:20], b, equal_nan=True) for a, b in zip(lost[1], again, strict=True)
    )


def test_the_promise_holds_on_clips_that_chose_nothing():
    # Hands that are lost, and hands that are not there to be found; `slr bench recover` takes all.
    kinds = ("crossing", "resting", "gone")
    *_, total = measure_recovery(signers=1, seeds=(3,), workers=2, kinds=kinds)
    assert total.lost >= 20
    assert total.recovered >= 0.05 * total.lost
    assert total.percentile(50) <= 0.08
    assert total.percentile(95) <= 0.25
    assert total.invented <= 0.01 * total.absent
    assert total.swapped == 0
