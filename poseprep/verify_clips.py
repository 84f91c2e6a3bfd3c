"""What docs/format.md promises of tables and frames, checked; `poseprep.verify` runs it."""

import hashlib
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from poseprep.clip import IMPORTED, MISSING
from poseprep.errors import InputError
from poseprep.findings import Findings
from poseprep.store import KeypointStore
from poseprep.store_layout import POINT_STEP, frame_datasets, points_sha256
from poseprep.store_walk import unreadable

# Read and checked at once: few enough for the processor's cache.
_FRAMES = 512
_OF_A_PART = ("points", "confidence", "source")
_SHA256 = re.compile("[0-9a-f]{64}")


def table_findings(store: KeypointStore) -> Findings:
    """What is wrong with the tables of a store that opened."""
    findings = Findings()
    if damage := store.tables_damaged():
        findings.add(damage)
    frames = frozenset(f"frames/{name}" for name in frame_datasets(store.skeleton))
    for sentence in unreadable(store.path, known=frames):  # ClipChecker reads those
        findings.add(sentence)
    rows = zip(
        store.keys,
        *(store.columns[name].tolist() for name in ("sha256", "points_sha256")),
        *(store.columns[name].tolist() for name in ("file_bytes", "file_modified")),
        strict=True,
    )
    for key, sha256, points, file_bytes, modified in rows:
        if sha256 and not _SHA256.fullmatch(sha256):
            findings.add("sha256 is no SHA-256", key)
        if not _SHA256.fullmatch(points):
            findings.add("points_sha256 is no SHA-256", key)
        if file_bytes < 0 or modified < 0:
            findings.add("file_bytes or file_modified is below 0", key)
    keys = [problem.key for problem in store.problems]
    if any(a >= b for a, b in pairwise(keys)):
        findings.add("the keys of /problems do not rise")
    return findings


class ClipChecker:
    """Checks clips, a few hundred frames at a time; `findings` is what it found."""

    def __init__(self, store: KeypointStore):
        self.findings = Findings()
        self._store = store
        self._ends = np.cumsum(store.lengths)
        self._unreadable: set[int] = set()  # rows of clips of which something is lost

    def check(self, first: int, last: int) -> Iterator[int]:
        """Check the clips first : last; yields the frames done since the last word."""
        starts, row = self._store.starts, first
        while row < last:
            # As many clips as fit; a long one alone, in pieces.
            end = int(np.searchsorted(self._ends, starts[row] + _FRAMES, side="right"))
            end = min(max(end, row + 1), last)
            self._check_group(row, end)
            yield int(self._ends[end - 1] - starts[row])
            row = end

    def _check_group(self, first: int, last: int) -> None:
        start, stop = int(self._store.starts[first]), int(self._ends[last - 1])
        pieces = [(a, min(a + _FRAMES, stop)) for a in range(start, stop, _FRAMES)]
        digests = _Digests(self._store, first, last)
        before = -np.inf  # the time before a piece, inside a clip
        for a, b in pieces:
            time, damaged = self._read("time", a, b)
            digests.update("time", time, a)
            falls = np.diff(time, prepend=before) < 0
            falls[np.intersect1d(self._store.starts[first:last], np.arange(a, b)) - a] = False
            self._note("time is not finite, or falls", (falls | ~np.isfinite(time)) & ~damaged, a)
            before = time[-1]
        for part in self._store.skeleton.parts:
            for a, b in pieces:
                self._check_part(part, a, b, digests)
        for row, digest in digests.all():
            key = self._store.keys[row]
            if row not in self._unreadable and digest != self._store.columns["points_sha256"][row]:
                self.findings.add("frames are not those that points_sha256 was made of", key)

    def _check_part(self, part: str, a: int, b: int, digests: "_Digests") -> None:
        read = {name: self._read(f"{part}/{name}", a, b) for name in _OF_A_PART}
        for name, (values, _) in read.items():
            digests.update(f"{part}/{name}", values, a)
        (points, lost_points), (confidence, lost), (source, lost_source) = read.values()
        lost = lost | lost_points
        there = confidence > 0
        seen = there if there.ndim == 1 else there.any(axis=1)
        steps = points * np.float32(1 / POINT_STEP)
        # NaN is not itself: so this is "a number, and a multiple".
        good = np.rint(steps) == steps
        if there.all() and good.all() and not np.isinf(points).any():
            missing = odd = np.zeros(b - a, bool)
        else:
            there = np.broadcast_to(there.reshape(b - a, -1, 1), points.shape)
            nan = np.isnan(points)
            missing = (nan == there).any(axis=(1, 2))
            odd = ((~good & ~nan) | np.isinf(points)).any(axis=(1, 2))
        self._note(f"{part}: NaN is not exactly where confidence is 0", missing & ~lost, a)
        self._note(f"{part}: points that are no multiples of 2^-15", odd & ~lost_points, a)
        self._note(f"{part}: source is above {IMPORTED}", (source > IMPORTED) & ~lost_source, a)
        wrong = (source == MISSING) == seen
        self._note(
            f"{part}: source is not 0 exactly where all of it is missing",
            wrong & ~lost & ~lost_source,
            a,
        )

    def _read(self, name: str, a: int, b: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of a dataset, and which of them are lost: a damaged chunk must not hide others."""
        lost = np.zeros(b - a, bool)
        try:
            return self._store.stored(name, a, b), lost
        except InputError:
            chunk = self._store.chunk_frames(name)
        shape, dtype = frame_datasets(self._store.skeleton)[name]
        values: np.ndarray = np.zeros((b - a, *shape), dtype)
        for first in range(a - a % chunk, b, chunk):
            here = slice(max(first, a), min(first + chunk, b))
            rows = slice(here.start - a, here.stop - a)
            try:
                values[rows] = self._store.stored(name, here.start, here.stop)
            except InputError:
                lost[rows] = True
        self._note(f"/frames/{name} is damaged and cannot be read", lost, a)
        self._unreadable.update(self._clips_of(lost, a))
        return values, lost

    def _note(self, sentence: str, wrong: np.ndarray, a: int) -> None:
        """Wrong are these frames, counted from frame a."""
        if wrong.any():
            keys = self._store.keys
            self.findings.add(sentence, *(keys[row] for row in self._clips_of(wrong, a)))

    def _clips_of(self, frames: np.ndarray, a: int) -> list[int]:
        rows = np.searchsorted(self._ends, np.flatnonzero(frames) + a, side="right")
        return np.unique(rows).tolist()


class _Digests:
    """The points_sha256 of some clips, from rows that come dataset by dataset.

    Of schema 1 it was of the times, then of the points of each part, one after the other.
    """

    def __init__(self, store: KeypointStore, first: int, last: int):
        self._first, self._last = first, last
        self._starts = store.starts[first:last].tolist()
        self._ends = (store.starts + store.lengths)[first:last].tolist()
        names = list(frame_datasets(store.skeleton))
        self._digests: list[dict[str, Any]] = []
        for _ in self._starts:
            if store.schema == 1:
                one = hashlib.sha256()
                kept = {n: one for n in names if n == "time" or n.endswith("/points")}
            else:
                kept = {n: hashlib.sha256() for n in names}
            self._digests.append(kept)
        self._one = store.schema == 1

    def update(self, name: str, values: np.ndarray, a: int) -> None:
        """Take rows of a dataset; the first of them is frame a of the store."""
        for start, end, digests in zip(self._starts, self._ends, self._digests, strict=True):
            rows = values[max(start - a, 0) : max(end - a, 0)]
            if len(rows) and name in digests:
                digests[name].update(rows)

    def all(self) -> Iterator[tuple[int, str]]:
        """Each clip's row and digest."""
        for row, digests in zip(range(self._first, self._last), self._digests, strict=True):
            yield row, digests["time"].hexdigest() if self._one else points_sha256(digests)
