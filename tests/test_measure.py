"""One video to keypoints, with landmarkers that answer at once or several frames later."""

from contextlib import contextmanager, nullcontext

import numpy as np
import pytest

from poseprep import measure as module
from poseprep.find import Video
from poseprep.landmarkers import AtOnce, Landmarks, follow
from poseprep.measure import Stretch, extract_clip, measure
from poseprep.outcome import Outcome
from poseprep.segment import Segment
from poseprep.skeleton import HOLISTIC

SKELETON = HOLISTIC.select(HOLISTIC.names[:33])


def grey(frame: np.ndarray) -> Landmarks:
    """Every point's x is how bright the frame is."""
    points = np.zeros((33, 3), np.float32)
    points[:, 0] = frame.mean()
    return Landmarks(points, np.ones(33, np.float32), np.ones(1, np.uint8))


class Late:
    """Answers when `batch` frames are there; with `lost`, forgets the last ones."""

    skeleton = SKELETON

    def __init__(self, batch: int, lost: bool = False):
        self.batch, self.lost, self.frames = batch, lost, []

    @contextmanager
    def tracker(self):
        self.frames = []
        yield self

    def add(self, frame):
        self.frames.append(frame)
        return self._look() if len(self.frames) == self.batch else []

    def finish(self):
        return [] if self.lost else self._look()

    def _look(self):
        found, self.frames = list(map(grey, self.frames)), []
        return found

    def shared(self):
        return nullcontext("")

    def describe(self):
        return {"name": "late"}


class Now(Late):
    @contextmanager
    def tracker(self):
        yield AtOnce(grey)


@pytest.fixture
def video(make_video) -> Video:
    return Video("grey.mp4", make_video("grey.mp4", frames=23))


def stretches(video, segments, landmarker):
    *said, outcome = measure(video, segments, landmarker)
    assert isinstance(outcome, Outcome)
    assert not outcome.problems
    return [one for one in said if isinstance(one, Stretch)], outcome


@pytest.mark.parametrize("batch", [1, 5, 23, 64])
def test_late_keypoints_belong_to_their_frames(video, batch):
    late, now = extract_clip(video, Late(batch)), extract_clip(video, Now(1))
    assert np.array_equal(late.points, now.points)
    assert np.array_equal(late.time, now.time)
    assert len(late.time) == 23
    assert (np.diff(late.points[:, 0, 0]) > 0).all()  # each frame is brighter than the last


@pytest.mark.parametrize("batch", [3, 7, 16])
def test_pieces_are_of_the_same_frames_however_late_they_come(video, batch, monkeypatch):
    monkeypatch.setattr(module, "PIECE_FRAMES", 6)
    segments = [Segment("one", 0.0, 0.5), Segment("two", 0.2), Segment("three", 0.52, 0.6)]

    class Fresh(Late):
        """A track of its own for every segment: they overlap."""

        @contextmanager
        def tracker(self):
            with Late(self.batch).tracker() as track:
                yield track

    late, end = stretches(video, segments, Fresh(batch))
    now, same_end = stretches(video, segments, Now(1))
    assert [clip.frames for clip in end.clips] == [clip.frames for clip in same_end.clips]
    late, now = (sorted(said, key=lambda said: said[:2]) for said in (late, now))
    assert [said[:2] for said in late] == [said[:2] for said in now]
    for one, other in zip(late, now, strict=True):
        assert all(map(np.array_equal, one.frames, other.frames))
        assert len(one.frames.time) <= 6


def test_a_landmarker_that_loses_frames_is_found_out(video):
    with pytest.raises(RuntimeError, match="keypoints of 20 frames for the last 23"):
        extract_clip(video, Late(5, lost=True))


def test_following_gives_as_many_keypoints_as_frames():
    frames = [np.full((4, 4, 3), i, np.uint8) for i in range(7)]
    assert [found.points[0, 0] for found in follow(Late(3), frames)] == list(range(7))
