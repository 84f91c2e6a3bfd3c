"""One video → the keypoints of its clips: what a worker process does."""

import json
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from poseprep.clip import Clip
from poseprep.errors import EngineError, InputError, VideoError
from poseprep.find import Video
from poseprep.labels import Label
from poseprep.landmarkers import LANDMARKERS, Landmarker, Landmarks, Track
from poseprep.outcome import ClipHead, Outcome
from poseprep.piece import PIECE_FRAMES, Frames, pack
from poseprep.segment import Segment
from poseprep.settings import LANDMARKER_READS, ExtractOptions, ExtractSettings, differences
from poseprep.video import VideoReader
from poseprep.video_file import file_stat, hash_steps

# How often a worker tells how far it is: often enough for any time limit, and for a bar.
_REPORT_SECONDS = 0.3
# A segment may end a little after its video: times in tables are rounded.
_COVERED_SHARE = 0.95


class Stretch(NamedTuple):
    """Some frames of a clip: stretch `number` of those that follow each other, from 0."""

    key: str
    number: int
    frames: Frames


class Piece(NamedTuple):
    """A stretch, packed."""

    key: str
    number: int
    blob: bytes


class Extractor:
    """What a worker process holds: one landmarker, for all the videos it is given."""

    def __init__(
        self,
        settings: ExtractSettings,
        options: ExtractOptions = ExtractOptions(),
        shared: str = "",
        described: Mapping[str, Any] | None = None,
    ):
        """
        Args:
            described: what the landmarker says of itself where the store is written.

        Raises:
            InputError: here it would be another one, such as on a machine with a GPU.
        """
        self._landmarker = make_landmarker(settings, options, shared)
        if described is not None:
            here = json.loads(json.dumps(self._landmarker.describe()))
            if found := differences(described, here):
                raise InputError(
                    "the landmarker of this worker is not the one that the store records (there → "
                    f"here): {'; '.join(found)}; give the same versions and the same --device"
                )
        # What fails for every video must end the run, and not become a problem of each of them.
        with self._landmarker.tracker():
            pass

    def __call__(self, task: tuple[Video, Sequence[Segment]]) -> Iterator[int | Piece | Outcome]:
        """Yields how many frames are done, and pieces; at last the outcome."""
        video, segments = task
        stat = stat_if_readable(video)
        try:
            for said in measure(video, segments, self._landmarker):
                if isinstance(said, Stretch):
                    yield Piece(said.key, said.number, pack(said.frames))
                else:
                    yield said
            return
        except VideoError as error:
            reason = str(error)
        except (InputError, EngineError):  # such as a GPU that is lost: not this video's fault
            raise
        except Exception as error:  # one odd video must not end a run of days: it is recorded
            reason = f"failed unexpectedly: {type(error).__name__}: {error}"
        yield Outcome(video.key, [], {segment.key: reason for segment in segments}, *stat)


def make_landmarker(
    settings: ExtractSettings,
    options: ExtractOptions = ExtractOptions(),
    shared: str = "",
    elsewhere: bool = False,
) -> Landmarker:
    """The landmarker that was chosen, given what it reads of settings and options.

    Args:
        shared: what the landmarker of another process shares, if anything.
        elsewhere: it is only described here, and other machines work with theirs.
    """
    chosen = asdict(settings) | asdict(options)
    values = {name: chosen[name] for name in LANDMARKER_READS[settings.landmarker]}
    if shared:
        values["shared"] = shared
    if elsewhere and "device" in values:
        values["elsewhere"] = True
    return LANDMARKERS[settings.landmarker](**values)


def extract_clip(video: Video, landmarker: Landmarker, label: Label = Label()) -> Clip:
    """The keypoints of one video, as the landmarker gives them: nothing filled, nothing rounded.

    Raises:
        VideoError: no frame of the video can be read, or it changed meanwhile.
    """
    stretches: list[Frames] = []
    for said in measure(video, (Segment(video.key),), landmarker):
        if isinstance(said, Stretch):
            stretches.append(said.frames)
        elif isinstance(said, Outcome):
            head = asdict(said.clips[0])
            del head["pieces"], head["frames"]
            whole = Frames(*map(np.concatenate, zip(*stretches, strict=True)))
            return Clip(**whole._asdict(), **head, **asdict(label), skeleton=landmarker.skeleton)
    raise RuntimeError(f"{video.key}: the extraction ended without an outcome")


def measure(
    video: Video, segments: Sequence[Segment], landmarker: Landmarker
) -> Iterator[int | Stretch | Outcome]:
    """Decode a video once and follow the signer through each of its segments.

    Every segment has a tracker of its own, so that its points do not depend on the others.
    Yields how many frames are done, now and then, and stretches; at last the outcome.

    Raises:
        VideoError: no frame of the video can be read, or it changed meanwhile.
    """
    stat = file_stat(video)
    reader = VideoReader(video, [segment.span for segment in segments])
    recorders = [_Recorder(segment, landmarker) for segment in segments]
    coming = deque(sorted(recorders, key=lambda recorder: recorder.segment.span))
    running: list[_Recorder] = []
    frames, clock = 0, _Clock()
    with ExitStack() as trackers:
        for seconds, picture in reader.steps():
            if clock.rings():
                yield frames
            if picture is None:  # between the segments
                continue
            while coming and seconds >= coming[0].segment.start - 1e-6:
                running.append(coming.popleft())
                running[-1].open(trackers)
            for recorder in running:
                if recorder.segment.over(seconds):
                    recorder.close()
                else:
                    recorder.add(seconds, picture)
                yield from recorder.stretches()
                if clock.rings():  # many segments may lie over one another
                    yield frames
            running = [recorder for recorder in running if not recorder.segment.over(seconds)]
            frames += 1
        for recorder in running:
            recorder.close()
            yield from recorder.stretches()
            if clock.rings():
                yield frames
    for digest in hash_steps(video):  # noqa: B007
        if clock.rings():
            yield frames
    if file_stat(video) != stat:
        raise VideoError("the file changed while it was read; extract it again")
    done = [recorder.head(reader.fps, digest, stat) for recorder in recorders if recorder.frames]
    reasons = {recorder.segment.key: _lacks(recorder, reader) for recorder in recorders}
    problems = {key: reason for key, reason in reasons.items() if reason}
    yield Outcome(video.key, done, problems, *stat)


def _lacks(recorder: "_Recorder", reader: VideoReader) -> str:
    """What a clip lacks of what was asked for, in words; empty where it is whole."""
    segment, end = recorder.segment, reader.end
    if reader.cut and segment.end > end:
        return reader.cut
    if recorder.frames == 0:
        return f"no frame from {segment.start:.3f} s on: the video ends at {end:.3f} s"
    if segment.end == float("inf"):
        return ""
    if end - segment.start < _COVERED_SHARE * (segment.end - segment.start):
        return f"the video ends at {end:.3f} s, before the segment does"
    return ""


class _Clock:
    """Rings when it is time to tell that work goes on."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def rings(self) -> bool:
        now = time.monotonic()
        due = now - self._told >= _REPORT_SECONDS
        if due:
            self._told = now
        return due


class _Recorder:
    """Follows the signer through one segment and keeps the keypoints until they are handed on.

    Attributes:
        frames: whose keypoints were handed on.
    """

    def __init__(self, segment: Segment, landmarker: Landmarker):
        self.segment, self._landmarker = segment, landmarker
        # Of all frames that went into the tracker; of those that came out of it already.
        self._times: list[float] = []
        self._landmarks: list[Landmarks] = []
        self._stretches = self.frames = 0
        self._size = (0, 0)
        self._tracker = ExitStack()
        self._track: Track | None = None

    def open(self, trackers: ExitStack) -> None:
        self._track = self._tracker.enter_context(self._landmarker.tracker())
        trackers.push(self._tracker)

    def close(self) -> None:
        """Take what the tracker still has, and let go of it: a video may have many segments."""
        if self._track is not None:
            self._landmarks += self._track.finish()
        if len(self._landmarks) != len(self._times):
            raise RuntimeError(
                f"{self.segment.key}: the landmarker gave keypoints of {len(self._landmarks)} "
                f"frames for the last {len(self._times)}"
            )
        self._tracker.close()
        self._track = None

    def add(self, seconds: float, picture: np.ndarray) -> None:
        if self._track is None:
            raise RuntimeError(f"{self.segment.key}: a frame for a tracker that is not open")
        self._times.append(seconds)
        self._landmarks += self._track.add(picture)
        self._size = picture.shape[1], picture.shape[0]

    def stretches(self) -> Iterator[Stretch]:
        """What can be handed on: whole pieces, and when it is closed the rest."""
        while len(self._landmarks) >= PIECE_FRAMES or (self._track is None and self._landmarks):
            seen = self._landmarks[:PIECE_FRAMES]
            points, confidence, source = (np.stack(values) for values in zip(*seen, strict=True))
            times = np.array(self._times[: len(seen)])
            frames = Frames(times, points, confidence, source)
            yield Stretch(self.segment.key, self._stretches, frames)
            self._stretches, self.frames = self._stretches + 1, self.frames + len(seen)
            del self._times[: len(seen)], self._landmarks[: len(seen)]

    def head(self, fps: float, sha256: str, stat: tuple[int, int]) -> ClipHead:
        return ClipHead(
            self.segment.key, self._stretches, self.frames, *self._size, fps, sha256, *stat
        )


def stat_if_readable(video: Video) -> tuple[int, int]:
    """Size and time of a file that can be read; else nothing, so that it is tried again."""
    try:
        return file_stat(video) if os.access(video.path, os.R_OK) else (0, 0)
    except VideoError:
        return 0, 0
