"""The figure: signs, performances, arms, and the truth they give."""

from dataclasses import fields, replace

import numpy as np
import pytest

from poseprep.clip import IMPORTED, MISSING
from poseprep.errors import InputError
from poseprep.signer.figure import bend_arm, figure
from poseprep.signer.perform import LEFT, RIGHT, perform
from poseprep.signer.person import Signer, make_signer
from poseprep.signer.signs import MOVEMENTS, SIGNS, Sign, minimal_pairs
from poseprep.signer.truth import true_clip
from poseprep.skeleton import HOLISTIC

DOWN = Sign("flat", "chest", "down")
SIGNERS = [make_signer(number) for number in range(8)]


def test_signs_have_names_of_their_own_that_are_safe_for_folders():
    names = [sign.name for sign in SIGNS]
    assert len(set(names)) == len(SIGNS) >= 32
    assert all(name.replace("-", "").isalnum() and name.islower() for name in names)


def test_minimal_pairs_differ_in_exactly_the_parameter_they_say():
    for first, second, parameter in minimal_pairs():
        assert replace(first, **{parameter: getattr(second, parameter)}) == second
        assert first != second


def test_the_first_twelve_signs_hold_a_minimal_pair_for_every_parameter():
    found = {parameter for *_, parameter in minimal_pairs(SIGNS[:12])}
    assert found == {field.name for field in fields(Sign)}


def test_a_sign_of_unknown_parts_is_refused_and_the_known_ones_are_named():
    with pytest.raises(InputError, match=r"location 'knee'.*chest"):
        Sign("flat", "knee", "down")


@pytest.mark.parametrize("name", MOVEMENTS)
def test_a_movement_is_smooth_enough_to_be_followed(name):
    motion = MOVEMENTS[name](np.linspace(0, 1, 14))  # about half a second
    assert np.linalg.norm(np.diff(motion.shift, axis=0), axis=-1).max() < 0.07
    assert (motion.closing >= 0).all()
    assert (motion.closing <= 1).all()


def test_the_same_performance_again_is_the_same():
    first, again = (perform(DOWN, SIGNERS[0], 1, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.wrist, again.wrist)


@pytest.mark.parametrize("other", [{"repetition": 2}, {"seed": 4}, {"signer": SIGNERS[1]}])
def test_another_repetition_seed_or_signer_is_another_performance(other):
    usual = {"sign": DOWN, "signer": SIGNERS[0], "repetition": 1, "seed": 3}
    first, second = perform(**usual), perform(**(usual | other))
    assert first.wrist.shape != second.wrist.shape or (first.wrist != second.wrist).any()


@pytest.mark.parametrize("signer", SIGNERS, ids=lambda signer: signer.name)
def test_the_ends_are_rest_and_the_middle_is_the_sign(signer):
    still = replace(signer, tremor=0.0)
    performance = perform(DOWN, still)
    presence, wrist = performance.presence, performance.wrist
    assert presence[0] == presence[-1] == 0
    assert (presence[len(presence) // 3 + 2 : -len(presence) // 3] > 0.9).all()
    np.testing.assert_allclose(wrist[-1], wrist[0])
    acting = LEFT if signer.left_handed else RIGHT
    assert np.linalg.norm(wrist[len(wrist) // 2] - wrist[0], axis=-1)[acting] > 0.10


@pytest.mark.parametrize(("left_handed", "acting"), [(False, RIGHT), (True, LEFT)])
def test_in_a_one_handed_sign_the_preferred_hand_acts_and_the_other_rests(left_handed, acting):
    wrist = perform(DOWN, Signer(left_handed=left_handed, tremor=0.0)).wrist
    way = np.ptp(wrist, axis=0).max(-1)
    assert way[acting] > 0.10
    assert way[1 - acting] == 0


def test_a_left_handed_signer_is_the_mirror_image():
    right = figure(perform(DOWN, Signer(tremor=0.0)), Signer())
    left = figure(perform(DOWN, Signer(left_handed=True, tremor=0.0)), Signer())
    np.testing.assert_allclose(left.hands, right.hands[:, ::-1] * (-1, 1, 1), atol=1e-9)
    np.testing.assert_allclose(left.elbow, right.elbow[:, ::-1] * (-1, 1, 1), atol=1e-9)


def test_alternating_hands_move_opposite_ways_and_both_hands_the_same():
    calm = Signer(tremor=0.0)
    for second_hand, sense in (("both", 1), ("alternating", -1)):
        performance = perform(Sign("flat", "chest", "circle", second_hand), calm)
        stroke = performance.presence > 0.999
        steps = np.diff(performance.wrist[stroke, :, 1], axis=0)
        np.testing.assert_allclose(steps[:, LEFT], sense * steps[:, RIGHT], atol=1e-3)


@pytest.mark.parametrize("sign", SIGNS[::5], ids=lambda sign: sign.name)
@pytest.mark.parametrize("signer", SIGNERS[:4], ids=lambda signer: signer.name)
def test_bones_keep_the_signers_lengths(sign, signer):
    drawn = figure(perform(sign, signer), signer)
    upper = np.linalg.norm(drawn.elbow - drawn.shoulder, axis=-1)
    fore = np.linalg.norm(drawn.wrist - drawn.elbow, axis=-1)
    palm = np.linalg.norm(drawn.hands[:, :, 9] - drawn.hands[:, :, 0], axis=-1)
    np.testing.assert_allclose(upper, signer.upper_arm, atol=1e-9)
    np.testing.assert_allclose(fore, signer.forearm, atol=1e-9)
    np.testing.assert_allclose(palm, signer.hand * np.hypot(0.094, 0.006), atol=1e-9)


def test_an_arm_reaches_what_it_can_and_stretches_towards_the_rest():
    shoulder = np.zeros((2, 3))
    near, far = np.array((0.1, 0.2, 0.2)), np.array((0.0, 3.0, 0.0))
    _, wrist = bend_arm(shoulder, np.stack([[near, near], [far, far]]), 0.3, 0.25)
    np.testing.assert_allclose(wrist[0], [near, near])
    np.testing.assert_allclose(wrist[1], [(0, 0.546, 0)] * 2)


@pytest.mark.parametrize(
    "signer", list(map(make_signer, range(16))), ids=lambda signer: signer.name
)
def test_every_joint_of_the_hands_stays_inside_the_picture(signer):
    view = signer.view(384, 288)
    for sign in SIGNS:
        pixels = view.pixels(figure(perform(sign, signer), signer).hands)
        assert (pixels > 0).all(), sign.name
        assert (pixels < (384, 288)).all(), sign.name


TWO_HANDED = [sign for sign in SIGNS if sign.second_hand != "one"]


@pytest.mark.parametrize("sign", TWO_HANDED, ids=lambda sign: sign.name)
def test_two_hands_never_cover_each_other(sign):
    for signer in SIGNERS:
        hands = figure(perform(sign, signer), signer).hands
        gap = hands[:, LEFT, :, 0].min(-1) - hands[:, RIGHT, :, 0].max(-1)
        assert gap.min() > 0


def test_the_truth_has_arms_hands_and_head_but_no_legs_and_no_face_mesh():
    signer = SIGNERS[0]
    performance = perform(DOWN, signer)
    clip = true_clip(
        figure(performance, signer), signer.view(400, 300), performance.time, key="a/b.mp4"
    )
    assert clip.found("left_hand").all()
    assert clip.found("right_hand").all()
    assert not clip.found("face").any()
    assert np.isnan(clip.points[:, HOLISTIC.index("left_knee")]).all()
    np.testing.assert_array_equal(clip.source[0], [IMPORTED, IMPORTED, IMPORTED, MISSING])
    body, hand = HOLISTIC.index("left_wrist"), HOLISTIC.index("left_hand_wrist")
    np.testing.assert_allclose(clip.points[:, body, :2], clip.points[:, hand, :2], atol=1e-6)
    # Seen from the front, the signer's left is on the picture's right; the hands are nearer
    # to the camera than the shoulders.
    left, right = HOLISTIC.index("left_shoulder"), HOLISTIC.index("right_shoulder")
    assert (clip.points[:, left, 0] > clip.points[:, right, 0]).all()
    assert (clip.points[:, body, 2] < clip.points[:, left, 2]).all()
