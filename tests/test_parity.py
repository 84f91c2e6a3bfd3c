"""How far two landmarkers lie apart: by hand on arrays, and MediaPipe against itself."""

import json
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from click.testing import CliRunner

from poseprep.bench_parity import compare_video, reference_of, together
from poseprep.errors import InputError
from poseprep.find import Video
from poseprep.landmarkers import AtOnce, Landmarks
from poseprep.landmarkers.mediapipe import MediaPipeHolistic
from poseprep.parity import Limits, Part, compare, furthest, summarize
from poseprep.settings import ExtractSettings
from poseprep.tables import parity_table
from slr_toolkit.cli import main


@pytest.fixture
def part() -> Part:
    """Four frames of a part of 21 points; the last without it."""
    points = np.random.default_rng(0).uniform(0, 1, (4, 21, 3)).astype(np.float32)
    confidence = np.ones((4, 21), np.float32)
    points[3], confidence[3] = np.nan, 0
    return Part(points, confidence)


def test_a_part_beside_itself_is_equal_bit_for_bit(part):
    row = summarize("left_hand", [compare(part, part)])
    assert (row.both, row.neither, row.only_reference, row.only_candidate) == (3, 1, 0, 0)
    assert (row.equal, row.agreement) == (3, 100)
    assert (row.median, row.percentile95, row.largest) == (0, 0, 0)
    assert row.lacks(Limits()) == []
    assert furthest({"a.mp4": {"left_hand": compare(part, part)}}) == []


def test_a_known_shift_is_the_distance_in_percent_of_the_height(part):
    moved = part._replace(points=part.points + np.array((0.003, -0.004, 9), np.float32))
    row = summarize("left_hand", [compare(part, moved)])
    assert row.median == pytest.approx(0.5, abs=1e-4)  # 3, 4, 5; z does not count
    assert row.percentile95 == pytest.approx(0.5, abs=1e-4)
    assert (row.equal, row.agreement) == (0, 100)
    assert row.lacks(Limits()) == [f"median {row.median:.3f} %"]


def test_what_only_one_found_is_counted_apart(part):
    points, confidence = part.points.copy(), part.confidence.copy()
    points[0], confidence[0] = np.nan, 0
    points[3], confidence[3] = 0.5, 1
    row = summarize("left_hand", [compare(part, Part(points, confidence))])
    assert (row.both, row.neither, row.only_reference, row.only_candidate) == (2, 0, 1, 1)
    assert row.agreement == 50
    assert row.lacks(Limits()) == ["agreement 50.00 %"]
    assert row.largest == 0  # where both found it


def test_nothing_found_is_no_distance_and_no_fault(part):
    nothing = Part(np.full_like(part.points, np.nan), np.zeros_like(part.confidence))
    row = summarize("left_hand", [compare(nothing, nothing)])
    assert (row.neither, row.agreement) == (4, 100)
    assert np.isnan([row.median, row.percentile95, row.largest]).all()
    assert row.lacks(Limits()) == []


def test_the_last_bit_and_the_confidence_count(part):
    points = part.points.copy()
    points[1, 3, 2] = np.nextafter(points[1, 3, 2], np.float32(2))
    assert compare(part, part._replace(points=points)).equal.tolist() == [1, 0, 1, 0]
    confidence = part.confidence.copy()
    confidence[0, 0] = 0.5
    assert compare(part, part._replace(confidence=confidence)).equal.tolist() == [0, 1, 1, 0]


def test_the_worst_frames_of_all_videos_come_first(part):
    points = part.points.copy()
    points[1, 7, 0] += 0.2
    points[2, 7, 0] += 0.1
    far, near = compare(part, part._replace(points=points)), compare(part, part)
    found = furthest({"a.mp4": {"left_hand": near}, "b.mp4": {"left_hand": far}}, most=1)
    (one,) = found
    assert one[:3] == ("b.mp4", 1, "left_hand")
    assert one.distance == pytest.approx(20, abs=1e-3)


def test_half_a_part_is_refused(part):
    points = part.points.copy()
    points[0, 0] = np.nan
    with pytest.raises(ValueError, match="all points of a part"):
        compare(part, part._replace(points=points))


class Disturbed(MediaPipeHolistic):
    """MediaPipe, one frame late, its body moved by 1 % of the height and its left hand lost."""

    @contextmanager
    def tracker(self):
        with super().tracker() as track:
            yield _OneLate(AtOnce(lambda frame: self._disturb(*track.add(frame))))

    def _disturb(self, found: Landmarks) -> Landmarks:
        points, confidence, source = (values.copy() for values in found)
        points[self.skeleton.parts["body"], 1] += 0.01
        hand = self.skeleton.parts["left_hand"]
        points[hand], confidence[hand], source[1] = np.nan, 0, 0
        return Landmarks(points, confidence, source)


class _OneLate:
    def __init__(self, track):
        self._track, self._waiting = track, []

    def add(self, frame):
        ready, self._waiting = self._waiting, list(self._track.add(frame))
        return ready

    def finish(self):
        return self._waiting


@pytest.mark.slow
def test_a_disturbed_landmarker_is_found_out(short_clips):
    video = Video("short.mp4", short_clips[0])
    plain = MediaPipeHolistic(face="none", recover=False)
    seen = compare_video(video, plain, Disturbed(face="none", recover=False))
    parity = together({"short.mp4": seen}, {})
    assert (parity.videos, parity.frames) == (1, 12)
    body, left, right = parity.parts
    assert (body.both, body.equal) == (12, 0)
    assert body.median == pytest.approx(1, abs=1e-3)
    assert left.only_reference > 0
    assert left.both == left.only_candidate == 0
    assert right.equal == right.both > 0
    assert set(parity.lacks) == {"body", "left_hand"}
    assert [apart.part for apart in parity.worst] == ["body"] * 5
    table = parity_table(parity)
    assert "NOT met" in table
    assert "mediapipe 0.10.21" in table
    assert json.loads(json.dumps(parity.report(), allow_nan=False))["met"] is False


@pytest.mark.slow
def test_two_skeletons_are_not_compared(short_clips):
    with pytest.raises(ValueError, match="one skeleton"):
        compare_video(Video("a", short_clips[0]), MediaPipeHolistic(), MediaPipeHolistic("none"))


@pytest.mark.slow
def test_the_command_compares_mediapipe_with_itself(tmp_path, short_clips):
    videos, out = tmp_path / "videos", tmp_path / "report.json"
    videos.mkdir()
    for path in short_clips[:2]:
        shutil.copy(path, videos)
    (videos / "broken.mp4").write_bytes(b"no video")
    words = ["bench", "parity", str(videos), "--landmarker", "mediapipe", "--face", "none"]
    result = CliRunner().invoke(main, [*words, "--workers", "1", "--out", str(out)])
    assert result.exit_code == 3, result.output  # for the one that is no video
    assert "broken.mp4: not a video" in result.output
    assert "Parity (met)" in result.output
    (videos / "broken.mp4").unlink()
    result = CliRunner().invoke(main, [*words, "--workers", "1", "--out", str(out)])
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    assert report["met"]
    assert report["frames"] == 24
    assert report["candidate"]["version"] == report["reference"]["version"] == "0.10.21"
    assert all(part["equal"] == part["both"] for part in report["parts"])
    # Every frame alone is something else than a video that is followed.
    result = CliRunner().invoke(main, [*words, "--workers", "1", "--reference", "static"])
    assert result.exit_code == 3, result.output
    assert "static image mode" in result.output
    assert "NOT met" in result.output


def test_what_cannot_be_compared_is_told(tmp_path):
    result = CliRunner().invoke(main, ["bench", "parity", str(tmp_path)])
    assert result.exit_code == 2
    words = ["bench", "parity", str(tmp_path), "--landmarker", "mediapipe", "--track"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "--track: expected with --landmarker batched only" in result.output


def test_a_report_that_cannot_be_written_is_told_before_the_start(tmp_path, make_video):
    make_video("videos/a.mp4")
    words = ["bench", "parity", str(tmp_path / "videos"), "--out"]
    for place, reason in (
        ("/proc/x.json", "cannot be written"),
        (str(tmp_path), "this is a folder"),
        (str(tmp_path / "nowhere" / "x.json"), "found no folder"),
        (str(tmp_path / "videos" / "a.mp4" / "x.json"), "found no folder"),
        (str(tmp_path / ("x" * 300)), "cannot be written"),
    ):
        result = CliRunner().invoke(main, [*words, place])
        assert result.exit_code == 2, result.output
        assert reason in result.output
        assert "a.mp4\n" not in result.output  # no video was looked at
    assert [path.name for path in tmp_path.iterdir()] == ["videos"]


def test_the_reference_does_what_the_landmarker_does():
    def of(**chosen):
        return reference_of(ExtractSettings(landmarker="batched", **chosen))

    assert reference_of(ExtractSettings()) == "video"
    assert of() == "static"
    assert of(track=True, smooth=True) == "video"
    assert of(track=True) == "unsmoothed"
    with pytest.raises(InputError, match="--smooth: expected with --track"):
        of(smooth=True)
