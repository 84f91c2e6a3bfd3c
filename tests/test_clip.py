from dataclasses import replace

import numpy as np
import pytest


def test_pixels_are_points_times_the_frame_height(make_clip):
    clip = make_clip(width=640, height=480)
    assert np.allclose(clip.pixels, clip.points[..., :2] * 480, equal_nan=True)


def test_a_part_is_found_where_it_has_confidence(make_clip):
    assert make_clip().found("left_hand").tolist() == [True, True, False, False] + [True] * 4


def test_a_zero_that_stands_for_missing_is_refused(make_clip):
    clip = make_clip()
    with pytest.raises(ValueError, match="NaN exactly where confidence is 0"):
        replace(clip, points=np.nan_to_num(clip.points))


def test_time_never_falls(make_clip):
    clip = make_clip()
    with pytest.raises(ValueError, match="never fall"):
        replace(clip, time=clip.time[::-1].copy())
