"""The drawn hand: its bones, its axes and its handshapes."""

import numpy as np
import pytest

from poseprep.signer.hand import (
    FINGER_BONES,
    HANDSHAPES,
    THUMB_BONES,
    Handshape,
    blend,
    hand_axes,
    hand_joints,
)


def bone_lengths(joints: np.ndarray) -> np.ndarray:
    """(..., 5, 3) lengths of the three outer bones of thumb and fingers."""
    chains = joints[..., 1:, :].reshape(*joints.shape[:-2], 5, 4, 3)
    return np.linalg.norm(np.diff(chains, axis=-2), axis=-1)


@pytest.mark.parametrize("name", HANDSHAPES)
def test_a_handshape_moves_the_bones_and_does_not_stretch_them(name):
    lengths = bone_lengths(hand_joints(HANDSHAPES[name]))
    np.testing.assert_allclose(lengths, np.vstack([THUMB_BONES, FINGER_BONES]), atol=1e-12)


def test_a_straight_index_finger_by_hand():
    straight = Handshape(np.zeros((4, 4)), np.tile((1.0, 0, 0), (3, 1)))
    tip = hand_joints(straight)[8]
    # The knuckle at 0.090, then bones of 0.043, 0.026 and 0.021.
    np.testing.assert_allclose(tip, (0.180, 0.027, 0), atol=1e-12)


def test_fingers_curl_to_the_palm_side():
    assert (hand_joints(HANDSHAPES["fist"])[8::4, 2] > 0.005).all()


def test_handshapes_differ_at_the_fingertips():
    tips = np.stack([hand_joints(shape)[4::4] for shape in HANDSHAPES.values()])
    apart = np.linalg.norm(tips[:, None] - tips[None, :], axis=-1).max(-1)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() > 0.015


def test_a_blend_starts_and_ends_with_its_handshapes():
    flat, fist = HANDSHAPES["flat"], HANDSHAPES["fist"]
    way = blend(flat, fist, np.array([0.0, 1.0]))
    np.testing.assert_allclose(way.fingers, np.stack([flat.fingers, fist.fingers]))
    np.testing.assert_allclose(way.thumb, np.stack([flat.thumb, fist.thumb]))


def test_the_thumb_of_a_raised_right_palm_points_to_the_right_of_the_picture():
    up, to_viewer = np.array((0.0, -1, 0)), np.array((0.0, 0, 1))
    np.testing.assert_allclose(hand_axes(up, to_viewer, is_left=False)[1], (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(hand_axes(up, to_viewer, is_left=True)[1], (-1, 0, 0), atol=1e-12)


def test_hand_axes_are_at_right_angles_whatever_the_palm_is_said_to_face():
    rng = np.random.default_rng(0)
    axes = hand_axes(rng.normal(size=(50, 3)), rng.normal(size=(50, 3)), is_left=True)
    np.testing.assert_allclose(
        axes @ axes.swapaxes(1, 2), np.tile(np.eye(3), (50, 1, 1)), atol=1e-9
    )
