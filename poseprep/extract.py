"""Videos in, a store out: the only place where landmarkers and the store meet."""

import json
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from poseprep.assemble import choose_labels, contents, update_tables, write
from poseprep.clip import Clip
from poseprep.errors import InputError
from poseprep.find import Video, find_videos
from poseprep.inventory import (
    Task,
    check_same_corpus,
    known_clips,
    shard_of,
    take_inventory,
)
from poseprep.journal import Journal
from poseprep.labels import find_labels, only
from poseprep.measure import Extractor, Piece, extract_clip, make_landmarker, stat_if_readable
from poseprep.options import check
from poseprep.outcome import Outcome
from poseprep.place import check_place
from poseprep.progress import Progress
from poseprep.segment import Segment
from poseprep.settings import ExtractOptions, ExtractSettings, check_read, check_same
from poseprep.store import KeypointStore
from poseprep.summary import Summary
from poseprep.survey import expected_frames
from poseprep.video_file import file_hash
from poseprep.workers import ATTEMPTS, Died, Report, TimedOut, run_tasks

__all__ = ["ExtractOptions", "ExtractSettings", "Extraction", "default_workers", "extract_clip"]


def extract_video(
    path: Path, settings: ExtractSettings, options: ExtractOptions = ExtractOptions()
) -> Clip:
    """The keypoints of one video file, stored nowhere.

    Raises:
        InputError: it is no video, or cannot be read.
    """
    videos = find_videos(path, settings.fps).videos
    if len(videos) != 1:
        raise InputError(f"{path}: expected one video, found {len(videos)}")
    clip = extract_clip(videos[0], make_landmarker(settings, options))
    return replace(clip, sha256=file_hash(videos[0]))


class Extraction:
    """The extraction of a folder to a store, new or begun before.

        with Extraction("videos", "out.h5") as extraction:
            summary = extraction.run()

    `out` holds a complete store at every moment, or nothing; what is done so far lies in a journal
    beside it (`out.h5.partial`), which another `Extraction` takes up. It is locked until the block
    is left.

    Attributes:
        found: the videos of this shard.
        labels: of their clips.
        inventory: what is left to do.
        resumed: whether an unfinished extraction is continued.

    Raises:
        InputError: there are no videos, the table is none, `out` is another's or was made with
            other settings or from other videos, or an extraction to it is running.
    """

    def __init__(
        self,
        videos: str | Path,
        out: str | Path,
        table: str | Path | None = None,
        settings: ExtractSettings = ExtractSettings(),
        options: ExtractOptions = ExtractOptions(),
        tick: Callable[[], None] = lambda: None,
    ):
        check(settings)
        check(options)
        check_read(settings, options)
        self.videos, self.out = Path(videos), Path(out)
        self.settings, self.options = settings, options
        part, shards = options.part()
        check_place(self.out)
        self.found = find_videos(videos, settings.fps)
        if options.prune and self.found.unreadable:
            place = next(iter(self.found.unreadable))
            raise InputError(
                f"--prune: {place} cannot be looked into ({self.found.unreadable[place]}), and the "
                "clips of its videos must not be dropped; mend that, or leave --prune out"
            )
        self.all_found = self.found.videos
        mine = [video for video in self.all_found if shard_of(video.key, shards) == part]
        self.found = replace(self.found, videos=mine)
        # A row of another shard's video is no row without a video.
        labels = find_labels([video.key for video in self.all_found], table)
        self.labels = only(labels, [video.key for video in mine])
        self._landmarker = make_landmarker(settings, options, elsewhere=bool(options.dask))
        head = {
            "settings": settings.recorded(),
            "landmarker": self._landmarker.describe(),
            "shard": options.shard,
        }
        self._head: dict[str, Any] = json.loads(json.dumps(head))  # as a store gives it back
        with ExitStack() as undo:
            self._journal = undo.enter_context(Journal(self.out, self._head, options.overwrite))
            self.resumed = self._journal.resumed
            undo.callback(self._remove_empty_journal)
            self._store = self._open_store(undo)
            known = known_clips(self._store, self._journal.outcomes)
            self.inventory = take_inventory(mine, self.labels.clips, known, options, tick)
            check_same_corpus(known, self.inventory, table is not None, self.videos)
            self._undo = undo.pop_all()

    def _open_store(self, undo: ExitStack) -> KeypointStore | None:
        if self._journal.replaces or not self.out.exists():
            return None
        store = undo.enter_context(KeypointStore(self.out))
        there: dict[str, Any] = {
            "settings": store.settings,
            "landmarker": store.landmarker,
            "shard": store.shard,
        }
        if self.settings.fps is None or there["settings"].get("fps") is None:
            # It concerns folders of images: there were none, or there are none now.
            there["settings"] = there["settings"] | {"fps": self.settings.fps}
        check_same(there, self._head, str(self.out))
        return store

    @property
    def landmarker(self) -> dict[str, Any]:
        """What finds the keypoints, as it says of itself and the store records it."""
        return self._head["landmarker"]

    @property
    def workers(self) -> int:
        return min(self.options.workers or default_workers(), max(1, len(self.inventory.tasks)))

    def expected_frames(self) -> int:
        """About how many frames lie ahead; 0 where that is not known."""
        return expected_frames([video for video, _ in self.inventory.tasks])

    def run(self, progress: bool = False, expected_frames: int = 0) -> Summary:
        """Do what is left, and complete the store.

        Args:
            progress: whether to show a bar.
            expected_frames: for the bar; 0 where it is not known.
        """
        began, summary = time.monotonic(), Summary()
        tasks = self.inventory.tasks
        with Progress("video", len(tasks), expected_frames, progress) as bar:
            self._measure(tasks, bar, summary)
        if not summary.stopped:
            self._complete(progress)
            summary.describe(self.out)
        summary.seconds = time.monotonic() - began
        return summary

    def _measure(self, tasks: list[Task], bar: Progress, summary: Summary) -> None:
        """Have the tasks done, and write down what comes."""
        if unreadable := self.found.unreadable:
            summary.problems |= unreadable
            summary.stopped = self.options.strict
        if summary.stopped or not tasks:
            return
        with closing(self._reports(tasks)) as reports:
            self._write_down(reports, tasks, bar, summary)

    def _write_down(
        self, reports: Iterator[Report], tasks: list[Task], bar: Progress, summary: Summary
    ) -> None:
        for report in reports:
            video, segments = tasks[report.task]
            value = report.value
            if isinstance(value, Piece):
                self._journal.add_piece(*value)
            elif isinstance(value, int):
                bar.at(report.task, value)
            if not report.last:
                continue
            outcome = replace(
                value if isinstance(value, Outcome) else _gave_up(video, segments, value),
                when=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            )
            frames = sum(clip.frames for clip in outcome.clips)
            summary.measured += frames
            bar.done(report.task, frames)
            if outcome.problems and self.options.strict:
                summary.problems, summary.stopped = outcome.problems, True
                return
            self._journal.seal(outcome)

    def _reports(self, tasks: list[Task]) -> Generator[Report, None, None]:
        settings = self.settings
        if not self.options.dask:
            with self._landmarker.shared() as shared:
                work = partial(Extractor, settings, self.options, shared)
                yield from run_tasks(work, tasks, self.workers, self.options.timeout)
            return
        from poseprep.cluster import run_on_dask

        # The same paths lead to the videos there, but not from the same folder.
        tasks = [(video.absolute(), segments) for video, segments in tasks]
        if settings.model:
            settings = replace(settings, model=str(Path(settings.model).absolute()))
        # Other machines may choose another engine, or have it in another version.
        described = self._head["landmarker"]
        work = partial(Extractor, settings, self.options, described=described)
        yield from run_on_dask(
            work, tasks, self.options.dask, self.options.timeout, self.videos.absolute()
        )

    def _complete(self, progress: bool) -> None:
        """Bring the store up to date, if there is anything to be done to it."""
        dropped = frozenset(self.inventory.settled)
        if self.options.prune:
            dropped |= frozenset(self.inventory.without_video)
        moved = self.inventory.moved
        wanted = contents(
            self._store, self._journal.outcomes, self.found.unreadable, moved, dropped
        )
        labels = choose_labels(wanted.clips, self.labels, self._store)
        source = self.labels.source
        if self._store is not None and self._store.labels_from == "table":
            source = "table"
        if self._store is not None and wanted.same_clips(self._store):
            update_tables(self._store, wanted.problems, labels, moved, source)
        else:
            writer = KeypointStore.create(
                self.out,
                self._landmarker.skeleton,
                self.settings.recorded(),
                self._landmarker.describe(),
                self.videos,
                labels_from=source,
                shard=self.options.shard,
            )
            frames = wanted.frames(self._store)
            with writer, Progress("writing the store", 1, frames, progress) as bar:
                write(writer, wanted, self._journal, self._store, labels, moved, bar.add)
        self._journal.remove()

    def _remove_empty_journal(self) -> None:
        """Nothing was done, and nothing is left behind."""
        if not self._journal.outcomes and not self.resumed:
            self._journal.remove()

    def __enter__(self) -> "Extraction":
        return self

    def __exit__(self, *exc: object) -> None:
        self._undo.close()


def check_landmarker(settings: ExtractSettings, options: ExtractOptions) -> None:
    """Raises InputError where this landmarker cannot be had, such as on a GPU that is not there."""
    make_landmarker(settings, options)


def default_workers() -> int:
    """One for every core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gave_up(video: Video, segments: tuple[Segment, ...], value: Any) -> Outcome:
    """What came of a video whose worker did not live to tell."""
    if isinstance(value, TimedOut):
        reason = f"no frame for {value.seconds:g} s (--timeout); given up"
    elif value == Died(None):
        reason = "every machine of the cluster that began it was lost"
    elif isinstance(value, Died):
        reason = f"the worker process ended {ATTEMPTS} times (exit code {value.exit_code}) on it"
    else:
        raise TypeError(f"{video.key}: a worker said {value!r}")
    problems = {segment.key: reason for segment in segments}
    return Outcome(video.key, [], problems, *stat_if_readable(video))
