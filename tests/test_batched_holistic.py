"""Our own Holistic gives MediaPipe's landmarks: every frame alone, or followed and smoothed."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SAMPLE

from poseprep.errors import InputError
from poseprep.landmarkers import Landmarks, follow
from poseprep.landmarkers import hand_network as mediapipe_hand
from poseprep.landmarkers.batched import detections, libm, pose
from poseprep.landmarkers.batched import landmarker as module
from poseprep.landmarkers.batched import rectangles as r
from poseprep.landmarkers.batched.hands import see
from poseprep.landmarkers.batched.holistic import landmark
from poseprep.landmarkers.batched.landmarker import (
    BatchedHolistic,
    chosen_device,
    described,
    make_engine,
)
from poseprep.landmarkers.batched.models import read_models
from poseprep.landmarkers.batched.smoothing import OneEuro
from poseprep.landmarkers.batched.view import View
from poseprep.landmarkers.mediapipe import MediaPipeHolistic
from poseprep.landmarkers.mediapipe_holistic import Look
from poseprep.landmarkers.second_look import place_of
from poseprep.skeleton import HOLISTIC

f32 = np.float32
# What parity means: shares of the frame's height.
MEDIAN, P95, PRESENCE = 0.002, 0.01, 0.98


@pytest.fixture(scope="module")
def engine():
    return make_engine(read_models(face=True), "cpu")


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    """Every third frame of a sample clip: hands move, and one crosses the face."""
    path = sorted((SAMPLE / "videos").rglob("*.mp4"))[0]
    return read(path)[::3]


def read(path: Path, most: int = 10**6) -> list[np.ndarray]:
    capture, found = cv2.VideoCapture(str(path)), []
    while len(found) < most:
        ok, frame = capture.read()
        if not ok:
            break
        found.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    return found


def looked(frames: list[np.ndarray], engine, face: bool = True) -> list[Look]:
    return landmark(View.of(engine, frames), face)


def assert_parity(ours: list[Landmarks], theirs: list[Landmarks]) -> None:
    for i, (part, where) in enumerate(HOLISTIC.parts.items()):
        there = np.array(
            [(a.source[i] > 0, b.source[i] > 0) for a, b in zip(ours, theirs, strict=True)]
        )
        assert (there[:, 0] == there[:, 1]).mean() >= PRESENCE, part
        both = np.flatnonzero(there.all(axis=1))
        if len(both):
            away = np.concatenate(
                [
                    np.linalg.norm((ours[t].points - theirs[t].points)[where, :2], axis=1)
                    for t in both
                ]
            )
            assert np.median(away) <= MEDIAN, part
            assert np.percentile(away, 95) <= P95, part


def same(one: Look, other: Look) -> bool:
    return one.parts.keys() == other.parts.keys() and all(
        np.array_equal(one.parts[part], other.parts[part]) for part in one.parts
    )


def random_rectangles(generator: np.random.Generator, count: int) -> np.ndarray:
    return np.column_stack(
        [
            generator.uniform(0.2, 0.8, (count, 2)),
            generator.uniform(0.1, 0.6, (count, 2)),
            generator.uniform(-3, 3, count),
        ]
    ).astype(f32)


SIZES = np.array([[640, 480], [320, 480], [1920, 1080]], f32)


# Geometry


def test_a_rectangle_of_the_whole_frame_gives_points_back_as_they_are() -> None:
    points = np.random.default_rng(0).random((3, 5, 3)).astype(f32)
    np.testing.assert_allclose(r.in_frame(points, r.whole(SIZES)), points, atol=1e-6)


def test_the_middle_of_a_rectangle_is_its_centre_however_it_is_turned() -> None:
    rectangles = random_rectangles(np.random.default_rng(0), 3)
    middle = np.full((3, 1, 2), 0.5, f32)
    np.testing.assert_allclose(r.in_frame(middle, rectangles)[:, 0], rectangles[:, :2], atol=1e-6)


def test_both_ways_out_of_a_square_crop_agree() -> None:
    """By MediaPipe's rectangle and by its matrix."""
    points = np.random.default_rng(1).random((3, 4, 2)).astype(f32)
    square = np.array([[500, 500]] * 3, f32)  # there a share of the width is one of the height
    same_sides = r.grown(random_rectangles(np.random.default_rng(0), 3), square, 1.3, -0.1)
    np.testing.assert_allclose(
        r.in_frame(points, same_sides),
        r.in_frame_by_matrix(points, r.in_pixels(same_sides, square), square),
        atol=2e-6,
    )


def test_a_grown_rectangle_is_square_in_pixels_and_moves_along_its_own_height() -> None:
    one = np.array([[0.5, 0.5, 0.1, 0.4, np.pi / 2]], f32)
    size = np.array([[200, 100]], f32)
    grown = r.in_pixels(r.grown(one, size, 2.0, -0.1), size)
    np.testing.assert_allclose(grown[0, 2:4], 80)
    # 0.1 of its height of 40 pixels, upwards in its own eyes: to the right, turned by a quarter.
    np.testing.assert_allclose(grown[0, :2], (104, 50), atol=1e-4)


def test_a_line_that_points_as_upright_is_not_turned() -> None:
    start, end = np.array([[10, 50]], f32), np.array([[10, 20]], f32)
    np.testing.assert_allclose(r.turn(start, end, 90), 0, atol=1e-6)
    np.testing.assert_allclose(r.turn(end, start, 90), -np.pi, atol=1e-6)
    np.testing.assert_allclose(r.turn(start, np.array([[40, 50]], f32), 90), np.pi / 2, atol=1e-6)


def test_padding_makes_a_square_and_comes_off_again() -> None:
    pixels = np.array([[50, 40, 100, 60, 0.3], [50, 40, 60, 100, 0]], f32)
    square, padding = r.squared(pixels)
    np.testing.assert_allclose(square[:, 2:4], 100)
    np.testing.assert_allclose(padding, [[0, 0.2], [0.2, 0]], atol=1e-6)
    corner = padding[:, None].copy()  # the corner of what is not padding
    np.testing.assert_allclose(r.without_padding(corner, padding), 0, atol=1e-6)


def test_places_that_are_no_places_are_told() -> None:
    bad = np.array([[0.5, 0.5, 0, 0.1, 0], [np.nan, 0, 1, 1, 0], [0.5, 0.5, 0.1, 0.1, 0]], f32)
    assert r.usable(bad).tolist() == [False, False, True]


@pytest.mark.parametrize("name", ["sin", "cos", "exp"])
def test_the_c_librarys_functions_are_the_known_ones(name: str) -> None:
    x = np.linspace(-3, 3, 50, dtype=f32).reshape(5, 10)
    np.testing.assert_allclose(getattr(libm, name)(x), getattr(np, name)(x), rtol=1e-6, atol=1e-7)


# Detections


def test_every_detector_has_an_anchor_for_each_of_its_boxes(engine) -> None:
    frame = [np.zeros((64, 64, 3), np.uint8)]
    place = np.array([[32, 32, 64, 64, 0]], f32)
    for network, size in (("pose_detector", 224), ("face_detector", 128)):
        boxes, *_ = engine.look(network, engine.load(frame), np.zeros(1, int), place)
        assert len(detections.anchors(network, size)) == boxes.shape[1]


def test_the_best_detection_worked_by_hand() -> None:
    """Two boxes overlap and are weighed by their scores; a third, elsewhere, does not count."""
    anchors = np.array([[0.5, 0.5], [0.5, 0.5], [0.1, 0.1], [0.5, 0.5]], f32)
    # x, y, width, height, and one key point, in pixels of 100.
    boxes = np.array(
        [[0, 0, 40, 40, 0, 0], [0, 0, 40, 40, 10, 0], [0, 0, 10, 10, 0, 0], [0, 0, 40, 40, 90, 0]],
        f32,
    )
    scores = np.array([2.0, 1.0, 1.5, -1.0], f32)  # the last is no detection
    first, second = 1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(-1.0))
    found = detections.best(boxes, scores, anchors, 100)
    expected = (first * 0.5 + second * 0.6) / (first + second)
    np.testing.assert_allclose(found, [[expected, 0.5]], rtol=1e-6)


def test_nothing_is_found_where_no_score_reaches_a_half() -> None:
    boxes, scores = np.ones((3, 6), f32), np.full(3, -0.1, f32)
    assert detections.best(boxes, scores, np.zeros((3, 2), f32), 100) is None


# Smoothing


def test_what_stands_still_is_left_where_it_is() -> None:
    filter_, place = OneEuro(0.05, 80.0), np.random.default_rng(0).random((4, 3)).astype(f32)
    for _ in range(5):
        np.testing.assert_allclose(filter_(place, f32(1.0)), place, rtol=1e-6)


def test_trembling_is_smoothed_and_a_fast_way_is_followed() -> None:
    filter_ = OneEuro(0.05, 80.0)
    trembling = [np.full((1, 3), (-1) ** t * 0.01, f32) for t in range(60)]
    calm = np.array([filter_(place, f32(100)) for place in trembling])
    assert np.abs(calm[50:]).max() < 0.005
    fast = [np.full((1, 3), 5.0 * t, f32) for t in range(30)]
    followed = np.array([filter_(place, f32(100)) for place in fast])
    assert np.abs(followed[20:] - fast[20:]).max() < 5.0  # less than a frame behind


def test_a_filter_that_forgot_takes_the_next_place_as_it_is() -> None:
    filter_ = OneEuro(0.05, 80.0)
    for t in range(3):
        filter_(np.full((1, 3), t, f32), f32(1))
    filter_.forget()
    assert filter_(np.full((1, 3), 9, f32), f32(1)).tolist() == [[9, 9, 9]]


# The whole


def test_every_frame_alone_is_mediapipes(engine, frames) -> None:
    ours = [look.landmarks() for look in looked(frames, engine)]
    theirs = list(follow(MediaPipeHolistic(recover=False, alone=True), frames))
    assert all((a.source > 0).all() for a in theirs[:1])  # there is something to compare
    assert_parity(ours, theirs)


def test_a_followed_and_smoothed_person_is_that_of_mediapipes_video_mode(frames) -> None:
    ours = follow(BatchedHolistic(recover=False, track=True, smooth=True, device="cpu"), frames)
    assert_parity(list(ours), list(follow(MediaPipeHolistic(recover=False), frames)))


def test_a_followed_person_is_that_of_mediapipes_video_mode_without_smoothing(frames) -> None:
    ours = list(follow(BatchedHolistic(recover=False, track=True, device="cpu"), frames))
    theirs = list(follow(MediaPipeHolistic(recover=False, smooth=False), frames))
    assert_parity(ours, theirs)
    smoothed = list(follow(MediaPipeHolistic(recover=False), frames))
    body = HOLISTIC.parts["body"]
    assert any(
        not np.allclose(a.points[body], b.points[body], atol=0.002)
        for a, b in zip(theirs, smoothed, strict=True)
    )


def test_the_batch_changes_nothing(frames) -> None:
    one, three = (
        list(follow(BatchedHolistic(device="cpu", batch=batch, smooth=True), frames[:7]))
        for batch in (1, 3)
    )
    for a, b in zip(one, three, strict=True):
        np.testing.assert_array_equal(a.points, b.points)
        np.testing.assert_array_equal(a.source, b.source)


def test_frames_of_several_sizes_and_without_anybody_go_together(engine, frames) -> None:
    black = np.zeros((90, 130, 3), np.uint8)
    larger = cv2.resize(frames[0], None, fx=1.5, fy=1.5)
    looks = looked([black, frames[0], larger, black], engine, face=False)
    assert [look.parts.keys() for look in (looks[0], looks[3])] == [{}.keys()] * 2
    assert same(looks[1], looked(frames[:1], engine, face=False)[0])
    assert same(looks[2], looked([larger], engine, face=False)[0])
    assert "face" not in looks[1].parts


def test_the_order_of_frames_does_not_matter(engine, frames) -> None:
    there, back = (looked(f, engine) for f in (frames[:4], frames[3::-1]))
    assert all(same(a, b) for a, b in zip(there, reversed(back), strict=True))


def test_no_frames_give_nothing(engine) -> None:
    assert looked([], engine) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2)])
def test_tiny_frames_are_frames(engine, size) -> None:
    frame = np.full((*size, 3), 128, np.uint8)
    assert looked([frame], engine)[0].parts == {}


def test_a_hand_is_seen_as_in_mediapipes_graph(engine, frames) -> None:
    points = follow(MediaPipeHolistic(face="none", recover=False), frames[:1])
    hand = next(iter(points)).points[HOLISTIC.parts["right_hand"], :2].astype(float)
    place = place_of(hand)
    ours, theirs = (
        see(View.of(engine, frames[:1]), 0, [place])[0],
        mediapipe_hand.see(frames[0], place),
    )
    assert ours is not None
    assert theirs is not None
    np.testing.assert_allclose(ours.points, theirs.points, atol=0.005)
    assert ours.presence == pytest.approx(theirs.presence, abs=0.02)
    assert ours.left == pytest.approx(theirs.left, abs=0.02)
    nowhere = mediapipe_hand.Place(np.array((0.02, 0.02)), 0.03, 0.0)
    huge = nowhere._replace(size=20.0)
    assert see(View.of(engine, frames[:1]), 0, [nowhere, huge, nowhere]) == [None] * 3


def test_a_lost_body_is_looked_for_again(frames) -> None:
    """After a cut to black, and to another place in the frame."""
    black = np.zeros_like(frames[0])
    moved = np.roll(frames[0], frames[0].shape[1] // 3, axis=1)
    landmarker = BatchedHolistic(recover=False, track=True, smooth=True, device="cpu", face="none")
    found = list(follow(landmarker, [frames[0], black, moved]))
    assert [bool(each.source[0]) for each in found] == [True, False, True]
    alone = next(iter(follow(landmarker, [moved])))
    np.testing.assert_allclose(found[2].points[:33], alone.points[:33], atol=1e-6)


def test_a_store_tells_landmarker_engine_precision_and_networks() -> None:
    said = BatchedHolistic(face="none", device="cpu", track=True).describe()
    assert said["name"] == "batched"
    assert said["engine"]["engine"] == "litert"
    assert said["engine"]["precision"] == "float32"
    assert said["settings"]["track"] is True
    assert all(len(sha256) == 64 for sha256 in said["models"].values())
    assert "face_landmarks" not in said["models"]


def test_a_store_tells_what_was_compiled_where_it_changes_points() -> None:
    told = [
        described("cuda", precision, compiled).get("compiled", False)
        for precision in ("float32", "float16")
        for compiled in (False, True)
    ]
    assert told == [False, False, False, True]


def test_without_a_compiler_nothing_is_compiled(monkeypatch) -> None:
    monkeypatch.setattr(module, "_sees_gpu", lambda device: True)
    monkeypatch.setattr("poseprep.machine.shutil.which", lambda name: None)
    with pytest.raises(InputError, match="--compile: needs a C compiler"):
        BatchedHolistic(compile=True)
    assert chosen_device("cuda") == "cuda"


def test_half_precision_on_a_cpu_is_refused() -> None:
    with pytest.raises(InputError, match="--precision float16: expected a GPU"):
        BatchedHolistic(device="cpu", precision="float16")


def test_a_body_reaches_from_its_middle_to_its_edge() -> None:
    guides = np.array([[[0.5, 0.5], [0.5, 0.25]]], f32)
    size = np.array([[400, 400]], f32)
    assert pose.extent(guides, size)[0] == pytest.approx(200)
    assert pose.around(guides, size)[0].tolist() == pytest.approx([0.5, 0.5, 0.625, 0.625, 0])


def test_real_videos_have_parity(engine, real_videos) -> None:
    for path in sorted(real_videos.glob("*.mp4")):
        frames = read(path)[::6]
        ours = [look.landmarks() for look in looked(frames, engine)]
        assert_parity(ours, list(follow(MediaPipeHolistic(recover=False, alone=True), frames)))
