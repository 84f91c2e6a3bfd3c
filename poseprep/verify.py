"""`slr verify`: whether a store is whole, undamaged, and holds what docs/format.md promises.

HDF5 may crash the interpreter, or go round for ever, on a damaged file: so all of it is read in
processes of its own, and what ends them is a finding like any other.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from poseprep.errors import InputError
from poseprep.findings import Findings
from poseprep.store import KeypointStore
from poseprep.verify_clips import ClipChecker, table_findings
from poseprep.workers import Crew, Died, TimedOut

_SILENT_SECONDS = 60.0
# So many frames make it worth while to start another process.
_TASK_FRAMES = 20_000


class Stretch(NamedTuple):
    """A task: the clips first : last of a store. None at all: open it, look at its tables."""

    path: Path
    first: int = 0
    last: int = 0


class Head(NamedTuple):
    """What opening a store tells."""

    keys: list[str]
    lengths: list[int]
    findings: Findings


def verify(
    path: str | Path, workers: int = 1, tick: Callable[[int], None] = lambda frames: None
) -> list[str]:
    """Everything that is wrong with a store, a line each; empty when all is well.

    Checked: that it opens and fits together; the checksums of tables, clips and chunks; and what
    docs/format.md promises of every frame. Memory is for some thousand frames.

    Args:
        workers: processes that read at once.
        tick: told the number of frames done, now and again.

    Raises:
        InputError: there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected a keypoint store, a file ending in .h5; found no file")
    findings = Findings()
    with Crew(_checker, workers, _SILENT_SECONDS) as crew:
        head: Any = None
        for report in crew.run([Stretch(path)]):
            head = report.value
        if not isinstance(head, Head):
            return [_ended("opening it", head)]
        findings.join(head.findings)
        tasks = [Stretch(path, *span) for span in _spans(head.lengths)]
        for report in crew.run(tasks):
            value, keys = report.value, head.keys[slice(*tasks[report.task][1:])]
            if isinstance(value, int):
                tick(value)
            elif isinstance(value, Findings):
                findings.join(value)
            else:
                findings.add(_ended("reading the frames", value), *keys)
    return findings.lines()


def _spans(lengths: list[int]) -> Iterator[tuple[int, int]]:
    """Rows of clips, first : last, of about `_TASK_FRAMES` frames together."""
    first = frames = 0
    for row, length in enumerate(lengths, start=1):
        frames += length
        if frames >= _TASK_FRAMES or row == len(lengths):
            yield first, row
            first, frames = row, 0


def _ended(doing: str, value: Any) -> str:
    if isinstance(value, Died):
        return f"{doing} crashes HDF5 (exit code {value.exit_code}); the file is damaged"
    if isinstance(value, TimedOut):
        return f"{doing} brings nothing for {value.seconds:g} s; the file, or its disk, is damaged"
    raise TypeError(f"a worker said {value!r}")


def _checker() -> Callable[[Stretch], Iterator[Any]]:
    return _check


def _check(task: Stretch) -> Iterator[Any]:
    """The task of a process; see `Stretch`. Its last value is a Head, or Findings."""
    try:
        with KeypointStore(task.path, check_tables=False) as store:
            if task.last == 0:
                yield Head(store.keys, store.lengths.tolist(), table_findings(store))
                return
            checker = ClipChecker(store)
            yield from checker.check(task.first, task.last)
            yield checker.findings
    except InputError as error:
        findings = Findings()
        findings.add(str(error).removeprefix(f"{task.path}: "))
        yield findings if task.last else Head([], [], findings)
