"""Properties of normalisation: what of a clip must not matter, and what must."""

import numpy as np
import pytest
from sslmodel_corpus import HAND, SMALL, make_points

from poseprep.normalize import clip_centre, clip_unit, normalize, resample
from poseprep.skeleton import HOLISTIC


def clip(frames: int = 20, skeleton=SMALL) -> tuple[np.ndarray, np.ndarray]:
    return make_points(1, 2, frames, skeleton, 0)[..., :2], np.arange(frames) / 25


def test_the_shoulders_end_one_unit_apart_around_the_origin() -> None:
    points, time = clip()
    values, seen = normalize(points, time, SMALL)
    shoulders = values[0][:, SMALL.indices(["left_shoulder", "right_shoulder"])]
    assert seen.all()
    width = np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=-1)
    assert np.median(width) == pytest.approx(1.0, abs=0.02)
    assert np.median(shoulders.mean(axis=1), axis=0) == pytest.approx([0, 0], abs=0.02)


@pytest.mark.parametrize("skeleton", [SMALL, HAND])
def test_place_and_size_in_the_picture_do_not_matter(skeleton) -> None:
    points, time = clip(skeleton=skeleton)
    before, _ = normalize(points, time, skeleton)
    after, _ = normalize(points * 3.0 + np.float32([0.4, -0.2]), time, skeleton)
    np.testing.assert_allclose(before, after, atol=1e-4)


def test_where_a_hand_is_relative_to_the_body_does_matter() -> None:
    points, time = clip()
    hand = SMALL.parts["right_hand"]
    moved = points.copy()
    moved[:, hand] += np.float32(0.1)
    unit = clip_unit(points, SMALL)
    before, _ = normalize(points, time, SMALL)
    after, _ = normalize(moved, time, SMALL)
    np.testing.assert_allclose((after - before)[0][:, hand], 0.1 / unit, atol=1e-4)


def test_frames_at_uneven_times_give_the_same_movement() -> None:
    even = np.linspace(0, 2, 200)
    uneven = np.sort(np.random.default_rng(0).uniform(0, 2, 198))
    uneven = np.concatenate([[0.0], uneven, [2.0]])

    def moving(time: np.ndarray) -> np.ndarray:
        return np.stack([np.sin(time), np.cos(time)], axis=-1)[:, None]

    at = np.linspace(0, 2, 32)
    a, _ = resample(moving(even), even, at, gap_seconds=0.25)
    b, _ = resample(moving(uneven), uneven, at, gap_seconds=0.25)
    np.testing.assert_allclose(a, b, atol=1e-2)
    np.testing.assert_allclose(a, moving(at), atol=1e-3)


def test_short_gaps_are_filled_on_a_straight_line_and_long_ones_stay() -> None:
    time = np.arange(20) / 10
    points = np.repeat(time[:, None, None], 2, axis=2).astype(np.float32)
    points[5] = np.nan  # 0.2 s from neighbour to neighbour
    points[10:15] = np.nan  # 0.6 s
    values, seen = resample(points, time, time, gap_seconds=0.25)
    assert np.flatnonzero(~seen[:, 0]).tolist() == [10, 11, 12, 13, 14]
    assert values[5, 0, 0] == pytest.approx(0.5)
    assert (values[10:15] == 0).all()


def test_nothing_is_made_up_before_a_point_is_first_seen_or_after_it_was_last_seen() -> None:
    time = np.arange(10) / 100
    points = np.ones((10, 1, 2))
    points[:3], points[8:] = np.nan, np.nan
    _, seen = resample(points, time, time, gap_seconds=10.0)
    assert np.flatnonzero(seen[:, 0]).tolist() == [3, 4, 5, 6, 7]


def test_missing_is_zero_with_seen_zero() -> None:
    points, time = clip()
    points[:, SMALL.parts["left_hand"]] = np.nan
    values, seen = normalize(points, time, SMALL)
    assert np.isfinite(values).all()
    assert (values[~seen] == 0).all()
    assert not seen[..., SMALL.parts["left_hand"]].any()
    assert seen[..., SMALL.parts["right_hand"]].all()


def test_a_long_clip_is_cut_into_equal_windows_that_join() -> None:
    time = np.linspace(0, 25, 500)
    points = make_points(0, 0, 500, SMALL, 0)[..., :2]
    values, _ = normalize(points, time, SMALL, window_seconds=10.0)
    assert values.shape[:2] == (3, 32)
    np.testing.assert_array_equal(values[0, -1], values[1, 0])
    exactly, _ = normalize(points, np.linspace(0, 10, 500), SMALL, window_seconds=10.0)
    assert len(exactly) == 1


@pytest.mark.parametrize("frames", [0, 1, 2])
@pytest.mark.parametrize("skeleton", [SMALL, HAND])
def test_very_short_clips_are_defined(frames: int, skeleton) -> None:
    points, time = clip(frames, skeleton)
    values, seen = normalize(points, time, skeleton)
    assert values.shape == (1, 32, len(skeleton), 2)
    assert np.isfinite(values).all()
    assert seen.all() == (frames > 0)
    if frames == 1:
        np.testing.assert_array_equal(values[0, 0], values[0, -1])


@pytest.mark.parametrize("skeleton", [SMALL, HAND])
def test_a_clip_without_any_person_is_unseen(skeleton) -> None:
    points = np.full((9, len(skeleton), 2), np.nan, np.float32)
    values, seen = normalize(points, np.arange(9) / 25, skeleton)
    assert not seen.any()
    assert (values == 0).all()


def test_hands_without_shoulders_are_still_placed_and_sized() -> None:
    points, time = clip()
    points[:, SMALL.parts["body"]] = np.nan
    values, seen = normalize(points, time, SMALL)
    assert seen.any()
    assert np.sqrt((values[seen] ** 2).sum(-1).mean()) == pytest.approx(1.0, abs=0.05)


def test_a_single_hand_is_centred_on_its_mean_wrist_and_its_palm_is_one() -> None:
    points, _ = clip(skeleton=HAND)
    np.testing.assert_allclose(clip_centre(points, HAND), points[:, 0].mean(axis=0), atol=1e-6)
    palm = np.linalg.norm(points[:, 0] - points[:, 9], axis=-1)
    assert clip_unit(points, HAND) == pytest.approx(float(np.median(palm)))


def test_one_trembling_frame_does_not_move_the_centre() -> None:
    points = make_points(0, 0, 21, HOLISTIC, 0)[..., :2]
    shaken = points.copy()
    shaken[10] += 5.0
    moved = clip_centre(shaken, HOLISTIC) - clip_centre(points, HOLISTIC)
    assert np.abs(moved).max() < 0.01
