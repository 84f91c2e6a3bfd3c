"""The landmarks are those of MediaPipe's own Python API, bit for bit."""

import os

import cv2
import numpy as np
import pytest
from conftest import SAMPLE

from poseprep.landmarkers import LANDMARKERS, follow
from poseprep.landmarkers.mediapipe import MediaPipeHolistic
from poseprep.skeleton import FACES, HOLISTIC

pytestmark = pytest.mark.slow

RESULTS = ("pose_landmarks", "left_hand_landmarks", "right_hand_landmarks", "face_landmarks")


def read(path, most: int = 10**6) -> list[np.ndarray]:
    capture, frames = cv2.VideoCapture(str(path)), []
    while len(frames) < most:
        ok, frame = capture.read()
        if not ok:
            break
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    return frames


def plain(frames, alone: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """What a user would write, with MediaPipe's own classes: (T, 543, 3) and (T, 543).

    alone: in static mode, with everything forgotten before each frame.
    """
    os.environ.setdefault("GLOG_minloglevel", "3")
    from mediapipe.python.solutions.holistic import Holistic

    points = np.full((len(frames), 543, 3), np.nan, np.float32)
    confidence = np.zeros((len(frames), 543), np.float32)
    with Holistic(static_image_mode=alone, model_complexity=1) as holistic:
        for t, frame in enumerate(frames):
            aspect = frame.shape[1] / frame.shape[0]
            if alone and t:  # the first frame shows what a user gets who knows of no reset
                holistic.reset()
            results = holistic.process(frame)
            for name, where in zip(RESULTS, HOLISTIC.parts.values(), strict=True):
                if (found := getattr(results, name)) is None:
                    continue
                points[t, where] = [(p.x * aspect, p.y, p.z * aspect) for p in found.landmark]
                confidence[t, where] = [
                    max(p.visibility, 1 / 255) if name == "pose_landmarks" else 1
                    for p in found.landmark
                ]
    return points, confidence


def tracked(landmarker, frames) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points, confidence, source = zip(*follow(landmarker, frames), strict=True)
    return np.array(points), np.array(confidence), np.array(source)


def samples() -> list:
    return sorted((SAMPLE / "videos").rglob("*.mp4"))


@pytest.fixture(scope="module")
def landmarker():
    """One for all tests: what a video leaves behind must not change the next."""
    return LANDMARKERS["mediapipe"](recover=False)


def assert_plain(landmarker, frames, alone: bool = False) -> np.ndarray:
    points, confidence = plain(frames, alone)
    found, sure, source = tracked(landmarker, frames)
    assert np.array_equal(points, found, equal_nan=True)
    assert np.array_equal(confidence, sure)
    there = np.array([(sure[:, where] > 0).any(1) for where in HOLISTIC.parts.values()]).T
    assert np.array_equal(source, there.astype(np.uint8))
    return there


def test_drawn_clips_one_after_the_other(landmarker):
    for path in samples()[:2]:
        assert assert_plain(landmarker, read(path)).any()


def test_real_clips(landmarker, real_videos):
    for path in sorted(real_videos.glob("*.mp4")):
        assert_plain(landmarker, read(path, 30))


def test_a_person_who_comes_and_goes(landmarker):
    frames = read(samples()[0], 18)
    nobody, noise = np.zeros_like(frames[0]), np.random.default_rng(0)
    frames[:3] = [nobody] * 3
    frames[8:10] = [noise.integers(0, 256, nobody.shape, np.uint8) for _ in range(2)]
    frames[14] = nobody
    there = assert_plain(landmarker, frames)
    assert there[7].all()
    assert not there[[0, 9]].any()


@pytest.mark.parametrize("size", [(16, 16), (101, 77), (90, 231), (3840, 2160)])
def test_every_size_of_frame(landmarker, size):
    assert_plain(landmarker, [cv2.resize(frame, size) for frame in read(samples()[1], 3)])


def test_frames_without_anybody(landmarker):
    assert not assert_plain(landmarker, [np.full((64, 48, 3), 200, np.uint8)] * 3).any()


@pytest.mark.parametrize("face", ["none", "contours"])
def test_less_of_the_face_changes_nothing_else(landmarker, face):
    frames = read(samples()[0], 8)
    less = LANDMARKERS["mediapipe"](face=face, recover=False)
    kept = HOLISTIC.indices(FACES[face])
    assert less.skeleton.names == FACES[face]
    points, confidence, source = tracked(landmarker, frames)
    fewer, sure, from_where = tracked(less, frames)
    assert np.array_equal(points[:, kept], fewer, equal_nan=True)
    assert np.array_equal(confidence[:, kept], sure)
    assert np.array_equal(source[:, : len(less.skeleton.parts)], from_where)


@pytest.fixture(scope="module")
def changing_frames() -> list[np.ndarray]:
    """Two signers in turns, a frame without anybody, and one of another size."""
    one, other = (read(path, 20) for path in samples()[::6][:2])
    small = cv2.resize(one[12], (160, 120))
    return [one[4], other[15], np.zeros_like(one[0]), one[19], small, other[4]]


def test_frames_alone_are_those_of_static_mode_after_a_reset(changing_frames):
    there = assert_plain(MediaPipeHolistic(recover=False, alone=True), changing_frames, True)
    assert there[[0, 1, 3, 4, 5]].all()


@pytest.mark.parametrize("recover", [False, True])
def test_frames_alone_depend_on_no_other(changing_frames, recover):
    landmarker = MediaPipeHolistic(face="none", recover=recover, alone=True)
    order = [4, 0, 2, 2, 5, 1, 0, 3]
    straight = tracked(landmarker, changing_frames)
    mixed = tracked(landmarker, [changing_frames[i] for i in order])
    for one, other in zip(straight, mixed, strict=True):
        assert np.array_equal(one[order], other, equal_nan=True)
