"""`slr bench parity`: a landmarker beside MediaPipe, on every frame of some videos."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from poseprep.errors import InputError, VideoError
from poseprep.files import write_whole
from poseprep.find import Video, find_videos
from poseprep.landmarkers import Landmarker, Landmarks
from poseprep.machine import machine
from poseprep.measure import make_landmarker
from poseprep.options import check
from poseprep.parity import Apart, Compared, Limits, Part, PartParity, compare, furthest, summarize
from poseprep.settings import ExtractOptions, ExtractSettings, check_read
from poseprep.video import VideoReader
from poseprep.workers import ATTEMPTS, run_tasks

# What MediaPipe does when it is compared with: every frame alone, its static mode as it is, its
# video mode, or that without smoothing. Name → `MediaPipeHolistic`'s arguments.
REFERENCES: dict[str, dict[str, bool]] = {
    "static": {"alone": True},
    "static-unreset": {"alone": True, "reset": False},
    "video": {},
    "unsmoothed": {"smooth": False},
}

# Frames compared at once: the points of a long video are never held whole, only distances.
_FRAMES = 512


@dataclass(frozen=True)
class Parity:
    """What came of a comparison.

    Attributes:
        reference, candidate: as the landmarkers describe themselves.
        parts: in the skeleton's order.
        worst: the frames in which a point lies furthest apart, the worst first.
        problems: video → why it, or its end, could not be read.
    """

    reference: dict[str, Any]
    candidate: dict[str, Any]
    videos: int
    frames: int
    parts: list[PartParity]
    worst: list[Apart]
    problems: dict[str, str]
    limits: Limits = field(default_factory=Limits)
    machine: str = field(default_factory=machine)

    @property
    def lacks(self) -> dict[str, list[str]]:
        """Part → which limits it does not keep; without the parts that keep all."""
        found = {row.part: row.lacks(self.limits) for row in self.parts}
        return {part: words for part, words in found.items() if words}

    @property
    def met(self) -> bool:
        return not self.lacks

    def report(self) -> dict[str, Any]:
        """All of it for a JSON file; what is not a number is None."""
        parts = [{**asdict(row), "agreement": row.agreement} for row in self.parts]
        return {
            **asdict(self),
            "met": self.met,
            "parts": [
                {name: None if value != value else value for name, value in row.items()}
                for row in parts
            ],
            "worst": [apart._asdict() for apart in self.worst],
        }


class Seen(NamedTuple):
    """One video by two landmarkers.

    Attributes:
        reference, candidate: as the landmarkers describe themselves.
        parts: in the skeleton's order; empty where no frame could be read.
        problem: why the video, or its end, could not be read; else empty.
    """

    reference: dict[str, Any]
    candidate: dict[str, Any]
    parts: dict[str, Compared]
    problem: str


def bench_parity(
    videos: Path,
    settings: ExtractSettings,
    options: ExtractOptions,
    workers: int,
    reference: str | None = None,
    tell: Callable[[str], None] = lambda key: None,
) -> Parity:
    """Let MediaPipe and the landmarker of these settings look at every frame of the videos.

    Args:
        reference: a name in `REFERENCES`; None is what the landmarker itself does.
        tell: told each video's key when it is done.

    Raises:
        InputError: there is no video, or none of them can be read; a setting that is not
            allowed, or that the landmarker does not read; MediaPipe does nothing like it.
    """
    check(settings)
    check(options)
    check_read(settings, options)
    reference = reference or reference_of(settings)
    found = find_videos(videos, settings.fps)
    problems, seen = dict(found.unreadable), dict[str, Seen]()
    with make_landmarker(settings, options).shared() as shared:
        work = partial(_comparer, settings, options, reference, shared)
        for report in run_tasks(work, found.videos, min(workers, max(1, len(found.videos)))):
            if not report.last:
                continue
            key = found.videos[report.task].key
            tell(key)
            if not isinstance(report.value, Seen):
                problems[key] = f"the worker process ended {ATTEMPTS} times on it"
                continue
            if report.value.problem:
                problems[key] = report.value.problem
            if report.value.parts:
                seen[key] = report.value
    if not seen:
        reasons = "; ".join(f"{key}: {reason}" for key, reason in problems.items())
        raise InputError(f"{videos}: expected videos that can be read, found none ({reasons})")
    return together(dict(sorted(seen.items())), problems)


def reference_of(settings: ExtractSettings) -> str:
    """What MediaPipe must do to see what a landmarker of these settings sees.

    Raises:
        InputError: nothing that it does is like that.
    """
    if settings.landmarker == "mediapipe" or (settings.track and settings.smooth):
        return "video"
    if settings.track:
        return "unsmoothed"
    if settings.smooth:
        raise InputError(
            "--smooth: expected with --track, because MediaPipe smooths only where it follows a "
            "person; give --track too, or say --reference"
        )
    return "static"


def together(seen: dict[str, Seen], problems: dict[str, str]) -> Parity:
    """Several videos, at least one, as one result."""
    first = next(iter(seen.values()))
    parts = {key: video.parts for key, video in seen.items()}
    rows = [summarize(part, [each[part] for each in parts.values()]) for part in first.parts]
    frames = rows[0].frames
    return Parity(
        first.reference, first.candidate, len(seen), frames, rows, furthest(parts), problems
    )


def compare_video(video: Video, reference: Landmarker, candidate: Landmarker) -> Seen:
    """Decode a video once, for both.

    Raises:
        ValueError: the landmarkers have different skeletons.
    """
    skeleton = reference.skeleton
    if candidate.skeleton.names != skeleton.names:
        raise ValueError("expected two landmarkers of one skeleton, found two skeletons")
    stretches: dict[str, list[Compared]] = {part: [] for part in skeleton.parts}
    try:
        reader = VideoReader(video)
        pairs = _pairs((frame for _, frame in reader), reference, candidate)
        while some := list(islice(pairs, _FRAMES)):
            for part, where in skeleton.parts.items():
                one, other = (_part(each, where) for each in zip(*some, strict=True))
                stretches[part].append(compare(one, other))
        problem = reader.cut
    except VideoError as error:
        problem = str(error)
    parts = {
        part: Compared(*map(np.concatenate, zip(*each, strict=True)))
        for part, each in stretches.items()
        if each
    }
    return Seen(reference.describe(), candidate.describe(), parts, problem)


def write_report(path: Path, parity: Parity) -> None:
    """All figures as JSON, for programs."""
    write_whole(path, (json.dumps(parity.report(), indent=2) + "\n").encode())


def _comparer(
    settings: ExtractSettings, options: ExtractOptions, reference: str, shared: str
) -> Callable[[Video], Iterator[Seen]]:
    """What a worker process does."""
    from poseprep.landmarkers.mediapipe import MediaPipeHolistic

    mediapipe = MediaPipeHolistic(settings.face, settings.recover, **REFERENCES[reference])
    candidate = make_landmarker(settings, options, shared)

    def do(video: Video) -> Iterator[Seen]:
        yield compare_video(video, mediapipe, candidate)

    return do


def _pairs(
    frames: Iterable[np.ndarray], reference: Landmarker, candidate: Landmarker
) -> Iterator[tuple[Landmarks, Landmarks]]:
    """What two landmarkers see in each frame; either may be late."""
    one, other = deque[Landmarks](), deque[Landmarks]()
    with reference.tracker() as first, candidate.tracker() as second:
        for frame in frames:
            one += first.add(frame)
            other += second.add(frame)
            while one and other:
                yield one.popleft(), other.popleft()
        one += first.finish()
        other += second.finish()
        yield from zip(one, other, strict=True)


def _part(seen: Sequence[Landmarks], where: slice) -> Part:
    return Part(
        np.stack([each.points[where] for each in seen]),
        np.stack([each.confidence[where] for each in seen]),
    )
