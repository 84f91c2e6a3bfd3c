"""Videos in, a store out: the only place where landmarkers and the store meet."""

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from poseprep.clip import MISSING, Clip
from poseprep.errors import InputError, VideoError
from poseprep.find import Found, Video
from poseprep.labels import Label, Labels
from poseprep.landmarkers import LANDMARKERS, Landmarker
from poseprep.store import KeypointStore, StoreWriter, is_hdf5
from poseprep.video import VideoReader, file_hash, survey_frames
from poseprep.workers import Died, Report, run_tasks

# For the estimate before the start: measured with `slr extract` on drawn and real videos.
SECONDS_A_FRAME = 0.065
BYTES_A_FRAME = 3500

_REPORT_EVERY_FRAMES = 10


@dataclass(frozen=True)
class ExtractSettings:
    """What decides the points: two stores of different settings never mix.

    Attributes:
        landmarker: a name in `LANDMARKERS`.
        fps: frames a second of folders of images; None where there are none.
    """

    landmarker: str = "mediapipe"
    fps: float | None = None


@dataclass(frozen=True)
class Plan:
    """What an extraction will take, from the headers alone: estimates, 0 where not known."""

    videos: int
    frames: int
    seconds: float
    bytes: int


@dataclass
class Summary:
    """What came of an extraction.

    Attributes:
        found_frames: part → frames in which the part was found.
        problems: key → reason, for every video that could not be stored whole.
        empty: keys of clips, stored, in which nobody was ever found.
    """

    clips: int = 0
    frames: int = 0
    seconds: float = 0.0
    bytes: int = 0
    found_frames: dict[str, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)

    def count(self, clip: Clip) -> None:
        self.clips += 1
        self.frames += len(clip.time)
        for part in clip.skeleton.parts:
            found = int(clip.found(part).sum())
            self.found_frames[part] = self.found_frames.get(part, 0) + found
        if not (clip.source != MISSING).any():
            self.empty.append(clip.key)


def plan_extraction(found: Found, workers: int) -> Plan:
    """How much work lies ahead: reads the headers of up to 500 videos."""
    frames = survey_frames(found.videos)
    return Plan(
        videos=len(found.videos),
        frames=frames,
        seconds=frames * SECONDS_A_FRAME / max(1, min(workers, len(found.videos))),
        bytes=frames * BYTES_A_FRAME,
    )


def default_workers() -> int:
    """One for every core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def extract_clip(video: Video, landmarker: Landmarker, label: Label = Label()) -> Clip:
    """The keypoints of one video, as the landmarker gives them: nothing filled, nothing smoothed.

    Raises:
        VideoError: no frame of the video can be read.
    """
    for result in _extract(video, landmarker, label):
        if not isinstance(result, int):
            return result[0]
    raise RuntimeError(f"{video.key}: the extraction ended without a clip")


def _extract(
    video: Video, landmarker: Landmarker, label: Label
) -> Iterator[int | tuple[Clip, str]]:
    """Yields the number of frames done, now and then; at last the clip, and why it was cut."""
    reader, times, size = VideoReader(video), [], (0, 0)

    def frames() -> Iterator[np.ndarray]:
        nonlocal size
        for seconds, frame in reader:
            times.append(seconds)
            size = frame.shape[1], frame.shape[0]
            yield frame

    tracked = []
    for landmarks in landmarker.track(frames()):
        tracked.append(landmarks)
        if len(tracked) % _REPORT_EVERY_FRAMES == 0:
            yield len(tracked)
    clip = Clip(
        key=video.key,
        points=np.stack([landmarks.points for landmarks in tracked]),
        confidence=np.stack([landmarks.confidence for landmarks in tracked]),
        source=np.stack([landmarks.source for landmarks in tracked]),
        time=np.array(times),
        width=size[0],
        height=size[1],
        fps=reader.fps,
        sha256=file_hash(video),
        skeleton=landmarker.skeleton,
        **asdict(label),
    )
    yield clip, reader.cut


class _Extractor:
    """What a worker process holds: one landmarker, for all the videos it is given."""

    def __init__(self, landmarker: str):
        self._landmarker = LANDMARKERS[landmarker]()

    def __call__(self, task: tuple[Video, Label]) -> Iterator[int | tuple[Clip | None, str]]:
        video, label = task
        try:
            yield from _extract(video, self._landmarker, label)
        except VideoError as error:
            yield None, str(error)
        except Exception as error:  # one odd video must not end a run of days: it is recorded
            yield None, f"failed unexpectedly: {type(error).__name__}: {error}"


def extract_folder(
    found: Found,
    labels: Labels,
    out: str | Path,
    settings: ExtractSettings = ExtractSettings(),
    workers: int | None = None,
    overwrite: bool = False,
    videos_folder: str | Path | None = None,
    progress: bool = False,
    expected_frames: int = 0,
) -> Summary:
    """Extract every video to a store at `out`, which holds all of it or is not touched.

    Args:
        videos_folder: where the videos lie; the store remembers it, so that `slr show` finds
            them again.
        progress: whether to show a bar.
        expected_frames: for the bar; 0 where it is not known.

    Raises:
        InputError: `out` exists and `overwrite` is not set, is no store, or cannot be written.
    """
    out, workers = Path(out), workers or default_workers()
    check_output(out, overwrite)
    landmarker = LANDMARKERS[settings.landmarker]()
    tasks = [(video, labels.of[video.key]) for video in found.videos]
    began, summary = time.monotonic(), Summary()
    store = KeypointStore.create(
        out, landmarker.skeleton, asdict(settings), landmarker.describe(), videos_folder
    )
    with store, _Bar(len(tasks), expected_frames, progress) as bar:
        reports = run_tasks(partial(_Extractor, settings.landmarker), tasks, workers)
        _collect(reports, found.videos, store, summary, bar)
    summary.seconds, summary.bytes = time.monotonic() - began, out.stat().st_size
    return summary


def check_output(out: Path, overwrite: bool) -> None:
    """Raises InputError where writing a store to `out` would lose what is there."""
    if out.suffix != ".h5":
        raise InputError(f"{out}: expected the name of the store to write, ending in .h5")
    if out.is_dir():
        raise InputError(f"{out}: expected a file to write, such as out.h5; this is a folder")
    if out.exists() and not overwrite:
        raise InputError(f"{out}: already there; give another name, or --overwrite to make it anew")
    if out.exists() and not is_hdf5(out):
        raise InputError(f"{out}: already there, and no store; it is not overwritten")


def _collect(
    reports: Iterator[Report],
    videos: list[Video],
    store: StoreWriter,
    summary: Summary,
    bar: "_Bar",
) -> None:
    """Take the workers' reports; write the clips in the order of their keys."""
    finished: dict[int, tuple[Clip | None, str]] = {}
    written = 0
    for task, value, last in reports:
        if not last:
            bar.at(task, value)
            continue
        if isinstance(value, Died):
            value = None, f"the worker process ended (exit code {value.exit_code}) on this video"
        bar.done(task, 0 if value[0] is None else len(value[0].time))
        finished[task] = value
        while written in finished:
            clip, reason = finished.pop(written)
            if clip is not None:
                store.add(clip)
                summary.count(clip)
            if reason:
                key = videos[written].key
                store.add_problem(key, reason)
                summary.problems[key] = reason
            written += 1


class _Bar:
    """The progress bar: frames done, frames a second, time left."""

    def __init__(self, videos: int, frames: int, shown: bool):
        total = frames or None
        self._bar = tqdm(total=total, unit=" frames", disable=not shown, smoothing=0.05)
        self._videos, self._done = videos, 0
        self._at: dict[int, int] = {}

    def at(self, task: int, frames: int) -> None:
        self._bar.update(frames - self._at.get(task, 0))
        self._at[task] = frames

    def done(self, task: int, frames: int) -> None:
        self.at(task, max(frames, self._at.get(task, 0)))
        del self._at[task]
        self._done += 1
        self._bar.set_description_str(f"video {self._done}/{self._videos}")

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.close()
