"""What there is to do: the videos found, beside what a store and a journal already hold."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from poseprep.errors import InputError, VideoError
from poseprep.find import Video, split_key
from poseprep.outcome import Outcome
from poseprep.segment import Segment
from poseprep.settings import ExtractOptions
from poseprep.store import KeypointStore
from poseprep.video_file import file_hash, file_stat

Task = tuple[Video, tuple[Segment, ...]]


class Known(NamedTuple):
    """What is known of a clip already: the file it was read from, and whether something is missing.

    sha256 is empty where the video could not be read at all.
    """

    file_bytes: int
    file_modified: int
    sha256: str
    problem: bool


@dataclass
class Inventory:
    """The work that is left.

    Attributes:
        tasks: videos to extract, and which of their clips.
        new, changed, again: keys of the tasks' videos: never seen, with another content than they
            had, to be tried again.
        done: clips that need nothing.
        problems: of those, what could not be stored whole and is not tried again.
        moved: clip key → the file's size and time now, where it has another time but the content
            that it had.
        without_video: known clips that nobody asks for any more.
        settled: problems whose videos are not there any more: there is nothing left of them.
    """

    tasks: list[Task] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    done: int = 0
    problems: int = 0
    moved: dict[str, tuple[int, int]] = field(default_factory=dict)
    without_video: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)


def known_clips(store: KeypointStore | None, outcomes: Mapping[str, Outcome]) -> dict[str, Known]:
    """Clip key → what is known; what a journal says is newer than the store."""
    known: dict[str, Known] = {}
    if store is not None:
        sizes, times, sha256s = (
            store.columns[name].tolist() for name in ("file_bytes", "file_modified", "sha256")
        )
        for key, *file in zip(store.keys, sizes, times, sha256s, strict=True):
            known[key] = Known(file[0], file[1], file[2], False)
        for problem in store.problems:
            if problem.key.endswith("/"):  # a folder's, which is looked into every time
                continue
            sha256 = known[problem.key].sha256 if problem.key in known else ""
            known[problem.key] = Known(problem.file_bytes, problem.file_modified, sha256, True)
    for outcome in outcomes.values():
        stat = outcome.file_bytes, outcome.file_modified
        sha256s = {clip.key: clip.sha256 for clip in outcome.clips}
        for key in (*sha256s, *outcome.problems):
            known[key] = Known(*stat, sha256s.get(key, ""), key in outcome.problems)
    return known


def take_inventory(
    videos: Iterable[Video],
    clips: Mapping[str, tuple[Segment, ...]],
    known: Mapping[str, Known],
    options: ExtractOptions = ExtractOptions(),
    tick: Callable[[], None] = lambda: None,
) -> Inventory:
    """Compare the videos found with what is known.

    A video is unchanged if it has the size and the modification time that it had; with the same
    size and another time its SHA-256 decides, and with `rehash` always.

    Args:
        clips: video key → the clips that are wanted of it.
        tick: called while contents are read, and for every video.
    """
    inventory = Inventory()
    wanted: set[str] = set()
    for video in videos:
        tick()
        segments = clips[video.key]
        wanted.update(segment.key for segment in segments)
        file = _File(video, tick)
        verdicts = {s.key: _verdict(known.get(s.key), file, options) for s in segments}
        left = tuple(segment for segment in segments if verdicts[segment.key] != "done")
        inventory.done += len(segments) - len(left)
        for segment in segments:
            there = known.get(segment.key)
            if there is None or verdicts[segment.key] != "done":
                continue
            inventory.problems += there.problem
            if there[:2] != file.stat:
                inventory.moved[segment.key] = file.stat
        if left:
            inventory.tasks.append((video, left))
            said = {verdicts[segment.key] for segment in left}
            worst = next(verdict for verdict in ("changed", "again", "new") if verdict in said)
            getattr(inventory, worst).append(video.key)
    for key in sorted(known.keys() - wanted):
        only_a_problem = known[key].problem and not known[key].sha256
        (inventory.settled if only_a_problem else inventory.without_video).append(key)
    return inventory


class _File:
    """A video file as it is now; read only where that is asked for."""

    def __init__(self, video: Video, tick: Callable[[], None]):
        self._video, self._tick, self._sha256 = video, tick, ""
        try:
            self.stat = file_stat(video)
        except VideoError:
            self.stat = (0, 0)

    @property
    def sha256(self) -> str:
        if not self._sha256:
            try:
                self._sha256 = file_hash(self._video, self._tick)
            except VideoError:
                self._sha256 = "unreadable"
        return self._sha256


def _verdict(known: Known | None, file: _File, options: ExtractOptions) -> str:
    if known is None:
        return "new"
    # A video that could not be opened has no time: whether it can be now is tried.
    retry = options.retry_problems or options.strict or not known.file_modified
    if known.problem and retry:
        return "again"
    same_stat = (known.file_bytes, known.file_modified) == file.stat
    if same_stat and not (options.rehash and known.sha256):
        return "done"
    if not known.sha256 or (known.file_bytes and known.file_bytes != file.stat[0]):
        return "changed"
    return "done" if file.sha256 == known.sha256 else "changed"


def check_same_corpus(
    known: Mapping[str, Known], inventory: Inventory, cut: bool, folder: object
) -> None:
    """Refuse what would fill a store with clips that do not belong together.

    Args:
        cut: whether a table was given, which may cut videos into segments.

    Raises:
        InputError: not one of the known clips is from this folder; or they are segments of videos,
            and no table says where to cut.
    """
    segments = [key for key in known if split_key(key)[1]]
    if segments and not cut:
        raise InputError(
            f"the store holds segments of videos ({segments[0]!r}, …), but no table says where to "
            "cut; give the table with --labels"
        )
    known = {key: there for key, there in known.items() if key not in inventory.settled}
    if known and inventory.without_video == sorted(known):
        raise InputError(
            f"{folder}: none of the {len(known)} clips of the store, such as "
            f"{next(iter(known))!r}, has its video here; is it the right folder? For other videos "
            "give another OUT, or start anew with --overwrite"
        )


def shard_of(key: str, shards: int) -> int:
    """Which of `shards` parts a video belongs to, 1 … shards; other videos do not matter to it."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % shards + 1
