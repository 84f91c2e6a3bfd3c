"""Strips of small skeletons."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from poseprep.clip import Clip
from poseprep.skeleton import HOLISTIC
from poseprep.sprite import GROUND, Sprite, make_sprite

HAND = HOLISTIC.select(HOLISTIC.names[HOLISTIC.parts["right_hand"]])


def hand_clip(shift: np.ndarray, time: np.ndarray, width: float = 0.2) -> Clip:
    """A hand of 0.1 frame heights in height that stands at x = shift in each frame."""
    shape = np.random.default_rng(0).uniform(0, 1, (len(HAND), 3)) * (width, 0.1, 0)
    points = np.repeat(shape[None], len(time), axis=0).astype(np.float32)
    points[..., 0] += shift[:, None]
    return Clip(
        key="a.mp4",
        points=points,
        confidence=np.ones(points.shape[:2], np.float32),
        time=time,
        source=np.ones((len(time), 1), np.uint8),
        width=640,
        height=480,
        skeleton=HAND,
    )


def tiles(sprite: Sprite) -> np.ndarray:
    """(K, S, S, 3) RGB."""
    strip = cv2.imdecode(np.frombuffer(sprite.png, np.uint8), cv2.IMREAD_COLOR)
    assert strip.shape == (sprite.size, sprite.frames * sprite.size, 3)
    return np.stack(np.split(strip[..., ::-1], sprite.frames, axis=1))


def drawn(picture: np.ndarray) -> np.ndarray:
    return np.abs(picture.astype(int) - GROUND).sum(axis=-1) > 40


def test_a_strip_has_the_frames_and_the_size_that_were_asked(make_clip):
    sprite = make_sprite(make_clip(frames=30), frames=12, size=64)
    assert (sprite.frames, sprite.size) == (12, 64)
    assert tiles(sprite).shape == (12, 64, 64, 3)
    assert sprite.seconds == pytest.approx(29 / 25)


def test_a_strip_is_small_and_always_the_same(make_clip):
    clip = make_clip(frames=40)
    assert make_sprite(clip).png == make_sprite(clip).png
    hand = hand_clip(np.linspace(0, 1, 40), np.arange(40) / 25)
    assert len(make_sprite(hand).png) < 10_000


def test_what_moves_is_drawn_elsewhere_and_what_rests_is_not():
    times = np.arange(8) / 25
    moving = tiles(make_sprite(hand_clip(np.linspace(0, 1, 8), times), frames=4))
    resting = tiles(make_sprite(hand_clip(np.zeros(8), times), frames=4))
    columns = [np.nonzero(drawn(tile))[1].mean() for tile in moving]
    assert all(np.diff(columns) > 10)
    assert (resting == resting[0]).all()


def test_all_that_the_signer_does_fits_and_nothing_is_stretched():
    for width, aspect in ((0.2, 2.0), (0.05, 0.5)):
        clip = hand_clip(np.zeros(3), np.arange(3) / 25, width)
        rows, columns = np.nonzero(drawn(tiles(make_sprite(clip, size=128))[0]))
        high, wide = np.ptp(rows), np.ptp(columns)
        assert 0.75 * 128 < max(high, wide) < 0.95 * 128
        spread = np.ptp(clip.points[0, :, :2], axis=0)
        assert wide / high == pytest.approx(spread[0] / spread[1], rel=0.1)
        assert (wide > high) == (aspect > 1)


def test_the_frames_are_spread_over_the_time_and_not_over_their_number():
    clip = hand_clip(np.array([0.0, 0.5, 1.0]), np.array([0.0, 9.0, 10.0]))
    shown = tiles(make_sprite(clip, frames=5))  # at 0, 2.5, 5, 7.5 and 10 seconds
    assert (shown[0] == shown[1]).all()
    assert (shown[2] == shown[3]).all()
    assert (shown[1] != shown[2]).any()
    assert (shown[3] != shown[4]).any()


def test_the_parts_have_their_colours():
    (tile, *_) = tiles(make_sprite(hand_clip(np.zeros(2), np.arange(2) / 25)))
    red, _, blue = tile[drawn(tile)].astype(int).mean(axis=0)
    assert red > 2 * blue


def test_a_clip_without_a_person_is_an_empty_strip(make_clip):
    clip = make_clip()
    nobody = replace(
        clip, points=np.full_like(clip.points, np.nan), confidence=np.zeros_like(clip.confidence)
    )
    assert not drawn(tiles(make_sprite(nobody))).any()


def test_a_clip_of_one_frame_rests():
    sprite = make_sprite(hand_clip(np.zeros(1), np.array([3.0])), frames=3)
    assert sprite.seconds == 0
    assert (tiles(sprite) == tiles(sprite)[0]).all()


def test_legs_are_left_out(make_clip):
    clip = make_clip()
    far = clip.points.copy()
    far[:, HOLISTIC.index("left_ankle")] = 50
    assert make_sprite(replace(clip, points=far)).png == make_sprite(clip).png
