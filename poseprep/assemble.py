"""A store from what a journal holds and, for videos that did not change, from the older store."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from poseprep.clip import Clip
from poseprep.find import portable_key
from poseprep.journal import Journal
from poseprep.labels import Label, Labels
from poseprep.outcome import ClipHead, Outcome
from poseprep.piece import unpack
from poseprep.skeleton import Skeleton
from poseprep.store import KeypointStore, Problem, StoreWriter
from poseprep.store_relabel import rewrite_tables


@dataclass
class Contents:
    """What the store will hold: clips by key, from the journal or (None) from the older store."""

    clips: dict[str, ClipHead | None] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)

    def same_clips(self, store: KeypointStore) -> bool:
        """Whether the store holds just these clips already."""
        return not any(self.clips.values()) and self.clips.keys() == set(store.keys)

    def frames(self, store: KeypointStore | None) -> int:
        """Of all clips."""
        there = {} if store is None else dict(zip(store.keys, store.lengths.tolist(), strict=True))
        return sum(head.frames if head else there[key] for key, head in self.clips.items())


def contents(
    store: KeypointStore | None,
    outcomes: Mapping[str, Outcome],
    unreadable: Mapping[str, str] = {},
    moved: Mapping[str, tuple[int, int]] = {},
    dropped: frozenset[str] = frozenset(),
) -> Contents:
    """The older store, brought up to date.

    A clip whose video cannot be read any more stays as it was, beside the problem.

    Args:
        unreadable: folders whose videos cannot be seen → why.
        moved: clip key → the size and time that its file has now.
        dropped: keys to leave out.
    """
    found = Contents()
    if store is not None:
        found.clips = dict.fromkeys(store.keys)
        found.problems = {problem.key: problem for problem in store.problems}
    for outcome in outcomes.values():
        for clip in outcome.clips:
            found.clips[clip.key] = clip
            found.problems.pop(clip.key, None)
        heads = {clip.key for clip in outcome.clips}
        for key, reason in outcome.problems.items():
            if key in found.clips and key not in heads:
                reason += "; the clip in the store is of the file as it was before"
            found.problems[key] = Problem(
                key, _as_text(reason), outcome.when, outcome.file_bytes, outcome.file_modified
            )
    for key in moved.keys() & found.problems.keys():
        file_bytes, file_modified = moved[key]
        found.problems[key] = replace(
            found.problems[key], file_bytes=file_bytes, file_modified=file_modified
        )
    # Folders stand there with the reason of today, or not at all.
    for key in [key for key, problem in found.problems.items() if _is_folder(problem)]:
        del found.problems[key]
    for key, reason in unreadable.items():
        found.problems[folder_key(key)] = Problem(folder_key(key), _as_text(reason))
    for key in dropped:
        found.clips.pop(key, None)
        found.problems.pop(key, None)
    return found


def _as_text(reason: str) -> str:
    """A reason as a store can hold it: names in it may be no UTF-8."""
    return portable_key(reason).replace("\0", "")


def folder_key(key: str) -> str:
    """The key of a folder's problem: no video's ends so."""
    return f"{key}/"


def _is_folder(problem: Problem) -> bool:
    return problem.key.endswith("/")


def choose_labels(
    keys: Iterable[str], labels: Labels, store: KeypointStore | None
) -> dict[str, Label]:
    """Every clip's label: as asked for now; but without a table, what the store has from one stays.

    What nobody asks for any more keeps the label that it has, too.
    """
    stored: dict[str, Label] = {}
    if store is not None:
        columns = (store.signs.tolist(), store.signers.tolist(), store.splits.tolist())
        stored = {key: Label(*row) for key, *row in zip(store.keys, *columns, strict=True)}
    if labels.source == "folders" and store is not None and store.labels_from == "table":
        return {key: stored.get(key, Label()) for key in keys}
    return {key: labels.of.get(key) or stored.get(key, Label()) for key in keys}


def write(
    writer: StoreWriter,
    contents: Contents,
    journal: Journal,
    store: KeypointStore | None,
    labels: Mapping[str, Label],
    moved: Mapping[str, tuple[int, int]],
    tick: Callable[[int], None] = lambda frames: None,
) -> None:
    """Write the contents, clip by clip and piece by piece, in the order of their keys."""
    for key, head in sorted(contents.clips.items()):
        changes: dict[str, Any] = vars(labels[key]).copy()
        if key in moved:
            changes["file_bytes"], changes["file_modified"] = moved[key]
        if head is not None:
            pieces = _from_journal(journal, head, writer.skeleton, changes)
        else:
            assert store is not None
            pieces = (replace(piece, **changes) for piece in store.pieces(key))
        writer.add_pieces(_counted(pieces, tick))
    for problem in contents.problems.values():
        writer.add_problem(
            problem.key,
            problem.reason,
            problem.file_bytes,
            problem.file_modified,
            problem.when or None,
        )


def update_tables(
    store: KeypointStore,
    problems: Mapping[str, Problem],
    labels: Mapping[str, Label],
    moved: Mapping[str, tuple[int, int]],
    labels_from: str,
) -> None:
    """Give a store whose clips stay other labels, problems and file times, where they differ."""
    columns = {name: column.tolist() for name, column in store.columns.items()}
    for name in ("sign", "signer", "split"):
        columns[name] = [getattr(labels[key], name) for key in store.keys]
    for i, key in enumerate(store.keys):
        if key in moved:
            columns["file_bytes"][i], columns["file_modified"][i] = moved[key]
    rows = sorted(problems.values(), key=lambda problem: problem.key)
    same = all(columns[name] == store.columns[name].tolist() for name in columns)
    # When a folder's problem was noticed is no news.
    told = [replace(row, when="") for row in store.problems]
    if not (
        same
        and [replace(row, when="") for row in rows] == told
        and labels_from == store.labels_from
    ):
        rewrite_tables(store.path, columns, rows, labels_from)


def _from_journal(
    journal: Journal, head: ClipHead, skeleton: Skeleton, label: Mapping[str, Any]
) -> Iterator[Clip]:
    fields = {name: value for name, value in vars(head).items() if name not in _NOT_A_CLIPS}
    for blob in journal.pieces(head):
        frames = unpack(blob)._asdict()
        yield Clip(**{**fields, **frames, **label}, skeleton=skeleton)


_NOT_A_CLIPS = ("pieces", "frames")


def _counted(pieces: Iterator[Clip], tick: Callable[[int], None]) -> Iterator[Clip]:
    for piece in pieces:
        yield piece
        tick(len(piece.time))
