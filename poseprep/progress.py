"""The progress bar: frames done, frames a second, time left."""

import sys

from tqdm import tqdm


class Progress:
    """Counts frames of several tasks at once.

    Args:
        noun: what a task is, for a person.
        tasks: how many there are.
        frames: how many lie ahead; 0 where that is not known.
    """

    def __init__(self, noun: str, tasks: int, frames: int, shown: bool):
        self._bar = tqdm(
            total=frames or None,
            unit=" frames",
            disable=not (shown and tasks),
            smoothing=0.05,
            leave=False,
            mininterval=0.1 if sys.stderr.isatty() else 60.0,  # a log file needs fewer lines
        )
        self._noun, self._tasks, self._done = noun, tasks, 0
        self._at: dict[int, int] = {}

    def at(self, task: int, frames: int) -> None:
        """A task has done so many frames; fewer than before, where it was begun anew."""
        self.add(frames - self._at.get(task, 0))
        self._at[task] = frames

    def done(self, task: int, frames: int) -> None:
        """A task is over."""
        self.at(task, max(frames, self._at.get(task, 0)))
        del self._at[task]
        self._done += 1
        self._bar.set_description_str(f"{self._noun} {self._done}/{self._tasks}")

    def add(self, frames: int) -> None:
        """So many frames more."""
        self._bar.update(frames)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.close()
