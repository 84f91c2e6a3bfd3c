"""The drawn pictures: the painter, the frames, and the corpus on disk."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from poseprep.errors import InputError
from poseprep.signer.accuracy import accuracy
from poseprep.signer.corpus import Corpus, Take, draw_take, render_corpus
from poseprep.signer.person import make_signer
from poseprep.signer.raster import Canvas, View
from poseprep.signer.signs import SIGNS
from poseprep.skeleton import FINGERTIPS, HOLISTIC
from poseprep.store import KeypointStore

SMALL = Corpus(signs=2, signers=2, width=128, height=128)
VIEW = View(width=100, height=80, scale=100.0, left=-0.5, top=-0.4)


def canvas() -> Canvas:
    return Canvas(VIEW, np.array([(1.0, 0, 0), (0, 1.0, 0)]))


def at(*place: float) -> np.ndarray:
    return np.array(place, dtype=float)


def test_the_camera_puts_a_world_place_where_its_scale_says():
    np.testing.assert_allclose(VIEW.pixels(at(0.25, -0.1, 7)), (75, 30))
    np.testing.assert_allclose(VIEW.enlarged(2.0).pixels(at(0.25, -0.1, 7)), (150, 60))


def test_a_capsule_of_one_ball_is_a_disc_with_the_depth_of_a_sphere():
    painting = canvas()
    painting.capsule(at(0.005, 0.005, 0.3), at(0.005, 0.005, 0.3), 0.2, 0.2, 0)
    solid = np.isfinite(painting.depth)
    assert solid.sum() == pytest.approx(np.pi * 20**2, rel=0.02)
    assert painting.depth[40, 50] == pytest.approx(0.5, abs=1e-3)
    assert painting.depth[40, 62] == pytest.approx(0.3 + (0.2**2 - 0.12**2) ** 0.5, abs=1e-3)


def test_a_capsule_is_the_hull_of_all_the_balls_along_it():
    start, end, radii = at(-0.2, -0.1, 0.0), at(0.2, 0.15, 0.25), (0.12, 0.05)
    painting, balls = canvas(), canvas()
    painting.capsule(start, end, *radii, 0)
    for share in np.linspace(0, 1, 200):
        place = start + share * (end - start)
        radius = radii[0] + share * (radii[1] - radii[0])
        balls.capsule(place, place, radius, radius, 0)
    both = np.isfinite(painting.depth) & np.isfinite(balls.depth)
    assert (np.isfinite(painting.depth) != np.isfinite(balls.depth)).mean() < 0.005
    np.testing.assert_allclose(painting.depth[both], balls.depth[both], atol=0.004)


@pytest.mark.parametrize("first", [0, 1])
def test_the_nearer_solid_is_seen_whatever_is_painted_first(first):
    painting = canvas()
    for paint in (first, 1 - first):
        painting.ellipsoid(at(0, 0, 0.5 * paint), at(0.2, 0.1, 0.1), paint)
    red, green, _ = painting.light(np.zeros((80, 100, 3)))[40, 50]
    assert green > red == 0


def test_a_solid_outside_the_picture_leaves_it_as_it_was():
    painting = canvas()
    painting.capsule(at(3, 3, 0), at(4, 3, 0), 0.1, 0.1, 0)
    painting.ellipsoid(at(-3, 0, 0), at(0.1, 0.1, 0.1), 0)
    assert not np.isfinite(painting.depth).any()


def frames_of(take: Take, corpus: Corpus = SMALL) -> np.ndarray:
    return np.stack(list(draw_take(take, corpus)[0]))


def test_the_same_take_has_the_same_pixels_and_another_signer_has_others():
    first = frames_of(Take(SIGNS[0], signer=0))
    np.testing.assert_array_equal(first, frames_of(Take(SIGNS[0], signer=0)))
    other = frames_of(Take(SIGNS[0], signer=1))
    assert np.abs(first[0].astype(int) - other[0]).mean() > 5


@pytest.mark.parametrize("number", range(7))
def test_fingertips_are_skin_where_the_truth_says_they_are(number):
    corpus = Corpus()
    take = Take(SIGNS[0], number)
    frames, truth = draw_take(take, corpus)
    tips = HOLISTIC.indices(f"right_hand_{tip}" for tip in FINGERTIPS)
    columns, rows = truth.pixels[0, tips].round().astype(int).T
    picture = next(frames)[rows, columns].astype(float)
    skin = np.array(make_signer(number, corpus.seed).skin)
    shares = picture**1.9 / (picture**1.9).sum(-1, keepdims=True)  # light, not gamma
    np.testing.assert_allclose(shares.mean(0), skin / skin.sum(), atol=0.08)


def test_few_signers_already_differ_in_all_that_makes_recognition_hard():
    signers = [make_signer(number) for number in range(8)]
    assert {signer.left_handed for signer in signers} == {True, False}
    assert len({signer.skin for signer in signers}) >= 6
    for name in ("cloth", "background", "long_sleeves", "long_hair", "speed", "span"):
        assert len({getattr(signer, name) for signer in signers}) > 1, name


@pytest.fixture(scope="module")
def corpus_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    render_corpus(folder, SMALL, workers=2)
    return folder


def test_a_corpus_holds_videos_labels_and_truth_of_the_same_clips(corpus_folder):
    keys = [take.key for take in SMALL.takes()]
    found = sorted(
        path.relative_to(corpus_folder / "videos").as_posix()
        for path in corpus_folder.glob("videos/**/*")
        if path.is_file()
    )
    assert found == keys
    with open(corpus_folder / "labels.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["clip"] for row in rows] == keys
    assert {row["signer"] for row in rows} == {"signer1", "signer2"}
    assert {row["split"] for row in rows} == {""}
    with KeypointStore(corpus_folder / "truth.h5") as truth:
        assert list(truth.keys) == keys


def test_a_video_decodes_to_the_frames_that_were_drawn(corpus_folder):
    take = SMALL.takes()[0]
    capture = cv2.VideoCapture(str(corpus_folder / "videos" / take.key))
    decoded = []
    while (read := capture.read())[0]:
        decoded.append(read[1][..., ::-1])
    drawn = frames_of(take)
    assert len(decoded) == len(drawn)
    assert np.abs(np.stack(decoded).astype(int) - drawn).mean() < 4


def test_a_larger_corpus_holds_the_smaller_one_unchanged():
    larger = Corpus(signs=5, signers=3, reps=2, width=128, height=128)
    assert set(SMALL.takes()) < set(larger.takes())
    take = SMALL.takes()[-1]
    np.testing.assert_array_equal(frames_of(take, larger), frames_of(take, SMALL))


def test_one_worker_draws_the_same_files_as_two(corpus_folder, tmp_path):
    render_corpus(tmp_path, SMALL, workers=1)
    for take in SMALL.takes():
        path = f"videos/{take.key}"
        assert (tmp_path / path).read_bytes() == (corpus_folder / path).read_bytes()


def test_a_folder_with_other_videos_is_refused_and_left_alone(corpus_folder):
    with pytest.raises(InputError, match="another folder"):
        render_corpus(corpus_folder, Corpus(signs=1, signers=2, width=128, height=128))
    assert (corpus_folder / "truth.h5").exists()


def test_the_truth_measured_against_itself_has_no_error(corpus_folder):
    with KeypointStore(corpus_folder / "truth.h5") as truth:
        rows = {row.what: row for row in accuracy(truth, truth)}
    for what in ("body", "left_hand", "right_hand", "fingertips", "elbows", "shoulders"):
        assert rows[what].found == 1
        assert rows[what].percentile95 == 0
    assert rows["face"].found == 0


@pytest.mark.parametrize(
    "wrong", [{"signs": 0}, {"signs": 99}, {"signers": 0}, {"seed": -1}, {"height": 101}]
)
def test_a_corpus_that_cannot_be_drawn_says_what_was_expected(wrong):
    with pytest.raises(InputError, match="expected"):
        Corpus(**wrong)


def test_mediapipe_finds_the_drawn_signer_where_the_truth_says():
    from poseprep.landmarkers import follow
    from poseprep.landmarkers.mediapipe import MediaPipeHolistic

    frames, truth = draw_take(Take(SIGNS[0], signer=2), Corpus())
    landmarks = list(follow(MediaPipeHolistic(), frames))
    points = np.stack([frame.points for frame in landmarks])
    found = np.stack([frame.source for frame in landmarks]) > 0
    assert (found.mean(axis=0) >= (0.99, 0.9, 0.9, 0.99)).all()
    left, right = HOLISTIC.indices(("left_shoulder", "right_shoulder"))
    width = np.linalg.norm(truth.points[0, left, :2] - truth.points[0, right, :2])
    error = np.linalg.norm(points[..., :2] - truth.points[..., :2], axis=-1) / width
    for hand in ("left_hand", "right_hand"):
        assert np.nanmedian(error[:, HOLISTIC.parts[hand]]) < 0.06
    assert np.nanmedian(error[:, HOLISTIC.indices(("left_elbow", "right_elbow"))]) < 0.10


def test_the_sample_beside_the_code_is_what_the_code_draws():
    sample = Corpus(signs=4, signers=3, width=352, height=264)
    folder = Path(__file__).parent.parent / "data" / "sample"
    with KeypointStore(folder / "truth.h5") as store:
        assert list(store.keys) == [take.key for take in sample.takes()]
        for take in sample.takes():
            _, truth = draw_take(take, sample)
            np.testing.assert_allclose(store.clip(take.key).points, truth.points, atol=1e-4)
