"""What came of an extraction."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from poseprep.clip import MISSING
from poseprep.store import KeypointStore


@dataclass
class Summary:
    """What came of an extraction.

    Attributes:
        clips, frames: that the store now holds.
        measured: frames that this run measured, in `seconds`.
        found_frames: part → frames of the store in which the part was found.
        problems: key → reason, for everything that could not be stored whole.
        empty: keys of clips, stored, in which nobody was ever found.
        stopped: whether it ended at the first problem, as `strict` asks; the store is as it was.
    """

    clips: int = 0
    frames: int = 0
    measured: int = 0
    seconds: float = 0.0
    bytes: int = 0
    found_frames: dict[str, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    stopped: bool = False

    def describe(self, path: Path) -> None:
        """Fill in what the store at `path` now holds."""
        with KeypointStore(path) as store:
            self.clips, self.frames = len(store.keys), store.frames
            self.problems = {problem.key: problem.reason for problem in store.problems}
            seen = np.zeros(store.frames, bool)
            for part in store.skeleton.parts:
                found = store.part_source(part) != MISSING
                self.found_frames[part] = int(found.sum())
                seen |= found
            if len(store.keys):
                anybody = np.logical_or.reduceat(seen, store.starts)
                self.empty = [
                    key for key, some in zip(store.keys, anybody, strict=True) if not some
                ]
        self.bytes = path.stat().st_size
