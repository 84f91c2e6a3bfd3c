"""Real MediaPipe on real and drawn videos."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SAMPLE

from poseprep.extract import Extraction, ExtractOptions, ExtractSettings, extract_clip
from poseprep.find import Video
from poseprep.labels import Label
from poseprep.landmarkers import LANDMARKERS
from poseprep.store import KeypointStore

pytestmark = pytest.mark.slow

RESULTS = ("pose_landmarks", "left_hand_landmarks", "right_hand_landmarks", "face_landmarks")


def plain_loop(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """What a user would write: MediaPipe Holistic over a video. (T, 543, 3) and visibility."""
    from mediapipe.python.solutions.holistic import Holistic

    capture, points, visibility = cv2.VideoCapture(str(path)), [], []
    with Holistic(model_complexity=1) as holistic:
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            height, width = frame.shape[:2]
            results = holistic.process(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
            row = []
            for name, count in zip(RESULTS, (33, 21, 21, 468), strict=True):
                found = getattr(results, name)
                row += (
                    [(p.x * width / height, p.y, p.z * width / height) for p in found.landmark]
                    if found
                    else [(np.nan,) * 3] * count
                )
            points.append(row)
            pose = results.pose_landmarks
            visibility.append([p.visibility for p in pose.landmark] if pose else [0.0] * 33)
    return np.array(points), np.array(visibility)


@pytest.fixture(scope="module")
def landmarker():
    return LANDMARKERS["mediapipe"](recover=False)


def assert_equals_a_plain_loop(path: Path, landmarker) -> None:
    clip = extract_clip(Video(path.name, path), landmarker)
    points, visibility = plain_loop(path)
    assert (np.isnan(points) == np.isnan(clip.points)).all()
    assert np.nanmax(np.abs(points - clip.points)) <= 1e-6
    assert np.abs(visibility - clip.confidence[:, :33]).max() <= 1 / 255
    assert clip.points.shape == (len(points), 543, 3)


def sample_videos() -> list[Path]:
    return sorted((SAMPLE / "videos").rglob("*.mp4"))


def test_a_drawn_clip_gives_mediapipes_own_numbers(landmarker):
    assert_equals_a_plain_loop(sample_videos()[0], landmarker)


def test_real_clips_give_mediapipes_own_numbers(landmarker, real_videos):
    for path in sorted(real_videos.glob("*.mp4")):
        assert_equals_a_plain_loop(path, landmarker)


def test_a_clip_does_not_depend_on_the_one_before(landmarker, short_clips):
    first, other = (Video(path.name, path) for path in short_clips[:2])
    before = extract_clip(first, landmarker)
    extract_clip(other, landmarker)
    after = extract_clip(first, landmarker)
    assert np.array_equal(before.points, after.points, equal_nan=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, short_clips):
    """Two drawn clips, one of them as images, and three files that are no videos."""
    root = tmp_path_factory.mktemp("corpus") / "videos"
    first, second = short_clips[:2]
    (root / "a").mkdir(parents=True)
    os.symlink(first, root / "a" / "x.mp4")
    images = root / "b" / "y"
    images.mkdir(parents=True)
    capture = cv2.VideoCapture(str(second))
    for i in range(12):
        cv2.imwrite(str(images / f"{i}.png"), capture.read()[1])
    (root / "a" / "empty.mp4").touch()
    (root / "a" / "text.mp4").write_text("hello")
    (root / "b" / "cut.mp4").write_bytes(first.read_bytes()[:2000])
    return root


def extract(corpus, out, workers):
    settings = ExtractSettings(fps=25.0, recover=False)
    with Extraction(corpus, out, None, settings, ExtractOptions(workers=workers)) as extraction:
        return extraction.run()


@pytest.fixture(scope="module")
def store_path(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("store") / "out.h5"
    summary = extract(corpus, out, workers=2)
    assert summary.clips == 2
    return out


def test_every_video_is_stored_or_under_problems(corpus, store_path):
    with KeypointStore(store_path) as store:
        assert store.keys == ["a/x.mp4", "b/y"]
        assert {problem.key for problem in store.problems} == {
            "a/empty.mp4",
            "a/text.mp4",
            "b/cut.mp4",
        }
        assert store.clip("a/x.mp4").sign == "a"
        assert len(store.clip("b/y").time) == 12


def test_the_store_holds_the_landmarkers_points(store_path, landmarker, short_clips):
    direct = extract_clip(Video("a/x.mp4", short_clips[0]), landmarker, Label("a"))
    with KeypointStore(store_path) as store:
        stored = store.clip("a/x.mp4")
    assert np.nanmax(np.abs(stored.points - direct.points)) <= 1.85e-5
    assert (np.isnan(stored.points) == np.isnan(direct.points)).all()
    assert stored.sha256 == direct.sha256


@pytest.mark.parametrize("workers", [1, 4])
def test_points_do_not_depend_on_the_number_of_workers(corpus, store_path, tmp_path, workers):
    extract(corpus, tmp_path / "other.h5", workers=workers)
    with KeypointStore(store_path) as two, KeypointStore(tmp_path / "other.h5") as other:
        assert other.content_hash() == two.content_hash()
        for part in two.skeleton.parts:
            assert other.part(part).tobytes() == two.part(part).tobytes()


def test_a_store_says_what_made_it(store_path):
    with KeypointStore(store_path) as store:
        assert store.landmarker["name"] == "mediapipe"
        assert store.landmarker["settings"]["model_complexity"] == 1
        assert all(len(digest) == 64 for digest in store.landmarker["models"].values())
        assert store.settings["fps"] == 25.0
