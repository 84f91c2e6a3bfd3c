"""What a Dask worker does with a task: have it done by a process of its own.

So a crash or a hang takes one task along and never the Dask worker, as on one machine.
"""

import multiprocessing
import os
import pickle
import socket
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from poseprep.errors import InputError
from poseprep.workers import Crew, Work

# How soon work is stopped that nobody wants any more, and a process ends that has none.
_WATCH_SECONDS, _IDLE_SECONDS = 0.5, 3.0
# What points depend on, beside the settings.
_PACKAGES = ("slr-toolkit", "mediapipe", "opencv-contrib-python", "numpy")


class Place(NamedTuple):
    """What must be alike where the tasks come from and where they are done.

    Attributes:
        folder: what must be there, if anything.
    """

    folder: Path | None
    versions: dict[str, str]


def package_versions() -> dict[str, str]:
    found = dict.fromkeys(_PACKAGES, "none")
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def do_task(kind: bytes, task: bytes) -> list[Any] | Exception:
    """One task, on a thread of a Dask worker: all that is said of it, the result last.

    Errors are returned: those that Dask raises itself can be told from them.
    """
    from distributed import Reschedule, get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        state = worker.state.tasks.get(key)
        there = state is not None and state.state != "cancelled"
        return there and worker.status.name not in ("closing", "closed", "failed")

    keeper = _take(kind) or _Keeper(kind)
    try:
        values = keeper.do(pickle.loads(task), wanted)
    except Exception as error:
        keeper.close()
        if keeper.stopped:  # the client is gone; or this worker is, and another takes the task
            raise Reschedule from None
        where = f"the Dask worker {worker.address} on {socket.gethostname()}"
        if isinstance(error, InputError):
            return InputError(f"{where}: {error}")
        return RuntimeError(f"{where}: {traceback.format_exc()}")
    keeper.rest()
    return values


class _Keeper:
    """A crew of one process that is kept between tasks, because models load slowly.

    It ends when no task comes for a few seconds: Dask does not tell its workers that a client is
    gone.
    """

    def __init__(self, kind: bytes):
        self.kind, self.stopped = kind, False
        work, timeout, place = pickle.loads(kind)
        # Dask's nanny starts its workers as daemons, which must not have children, because these
        # would outlive them. A crew's do not: they watch their parent.
        if multiprocessing.current_process().daemon:
            multiprocessing.current_process().daemon = False
        theirs, self._lease = multiprocessing.get_context("spawn").Pipe(duplex=False)
        self._crew = Crew(partial(_begin, work, place, theirs), 1, timeout)

    def do(self, task: Any, wanted: Callable[[], bool]) -> list[Any]:
        """All that is said of a task; raises when it is not `wanted` any more."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_WATCH_SECONDS):
                if not wanted():
                    self.stopped = True
                    self._lease.close()  # a crew is not for two threads; its process hears this
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            return [report.value for report in self._crew.run([task])]
        finally:
            over.set()
            watcher.join()

    def rest(self) -> None:
        self.alarm = threading.Timer(_IDLE_SECONDS, self._leave)
        self.alarm.daemon = True
        with _lock:
            _resting.append(self)
            self.alarm.start()

    def _leave(self) -> None:
        with _lock:
            if self not in _resting:
                return  # a task came at the last moment
            _resting.remove(self)
        self.close()

    def close(self) -> None:
        self._lease.close()
        self._crew.close()


_lock = threading.Lock()
_resting: list[_Keeper] = []


def _take(kind: bytes) -> _Keeper | None:
    """A keeper that rests and has done this kind of work."""
    with _lock:
        for keeper in _resting:
            if keeper.kind == kind:
                _resting.remove(keeper)
                keeper.alarm.cancel()
                return keeper
    return None


def _begin(work: Work, place: Place, lease: Connection) -> Any:
    """In the process: see that all is as where the tasks come from, and make what does them."""
    if lease.poll():
        raise InputError("stopped")  # and begun anew by the crew
    threading.Thread(target=_end_with, args=(lease,), daemon=True).start()
    if place.folder is not None and not place.folder.exists():
        raise InputError(
            f"{place.folder} is not there; videos must lie under the same path on every worker"
        )
    ours, wanted = package_versions(), place.versions
    if other := [
        f"{name} {ours[name]}, not {wanted[name]}" for name in ours if ours[name] != wanted[name]
    ]:
        raise InputError(
            f"it has {'; '.join(other)}. Points could differ: install the same versions everywhere"
        )
    return work()


def _end_with(lease: Connection) -> None:
    with suppress(EOFError, OSError):
        lease.recv()
    os._exit(1)
