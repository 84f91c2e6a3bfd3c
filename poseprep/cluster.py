"""Tasks on a Dask cluster, with the same reports as from `run_tasks` on one machine.

A task is done by a process of its own beside the Dask worker (`Crew`), so that a crash or a hang
takes one task along and never the Dask worker. What it says travels back when it is over: whoever
calls writes the store alone.
"""

import logging
import multiprocessing
import os
import pickle
import socket
import threading
import time
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from poseprep.errors import InputError
from poseprep.stopping import stopping_waits
from poseprep.workers import Crew, Died, Report, Work

_CONNECT_SECONDS = 10.0
_CLOSE_SECONDS = 3.0
# Without any worker: at the start somebody forgot them; later, lost ones are often replaced.
_FIRST_WORKER_SECONDS, _NEXT_WORKER_SECONDS = 60.0, 600.0
# How often to count the workers, who come and go.
_COUNT_SECONDS = 2.0
# Tasks handed out ahead, so that nobody idles; and so that clusters that grow with what waits do.
_TASKS_A_THREAD, _FEWEST_TASKS = 2, 32
# On a worker: how soon work is stopped that nobody wants any more, and idle processes end.
_WATCH_SECONDS, _IDLE_SECONDS = 0.5, 3.0
# What points depend on, beside the settings.
_PACKAGES = ("slr-toolkit", "mediapipe", "opencv-contrib-python", "numpy")


def run_on_dask(
    work: Work,
    tasks: Iterable[Any],
    address: str,
    timeout: float | None = None,
    folder: Path | None = None,
) -> Iterator[Report]:
    """Run every task on the workers of a Dask scheduler, one at a time on each of their threads.

    The reports of a task come when it is over. A task whose worker is lost is done by another.
    Leaving the iterator early, or being killed, ends the processes on the cluster within seconds.

    Args:
        address: of the scheduler, such as `tcp://10.0.0.5:8786`; nothing else is connected to.
        timeout: as in `run_tasks`.
        folder: what every worker must see under the same path.

    Raises:
        InputError: Dask is not installed, nobody answers at `address`, there are no workers, or a
            worker differs from this machine in a package or does not see the folder; or what
            `work()` or a task raised, if it was one.
        RuntimeError: anything else that they raised.
    """
    all_tasks, name = list(tasks), f"slr-{uuid.uuid4().hex}"
    place = Path.cwd(), folder, _versions()
    begun, running = 0, {}
    over: SimpleQueue[Any] = SimpleQueue()
    with _connected(address) as client:
        workers = _Workers(client, address)
        while begun < len(all_tasks) or running:
            window = max(_FEWEST_TASKS, _TASKS_A_THREAD * workers.threads)
            while begun < len(all_tasks) and len(running) < window:
                # Packed, because Dask looks for its own objects in what it is given.
                parts = pickle.dumps((work, timeout, place)), pickle.dumps(all_tasks[begun])
                future = client.submit(_do, *parts, key=(name, begun), pure=False)
                running[begun] = future
                future.add_done_callback(over.put)
                begun += 1
            with suppress(Empty):
                future = over.get(timeout=_COUNT_SECONDS)
                values = _values(future, address)
                if values is None:
                    future.add_done_callback(over.put)  # its worker was lost after all
                else:
                    number = future.key[1]
                    del running[number], future  # Dask forgets the values with the last future
                    for value in values[:-1]:
                        yield Report(number, value, False)
                    yield Report(number, values[-1], True)
            workers.count()


def _values(future: Any, address: str) -> list[Any] | None:
    """What a task said, the result last; None where it is done again."""
    from distributed import KilledWorker

    if future.status == "cancelled":
        raise InputError(
            f"the Dask scheduler at {address} was lost, or dropped the work; what is done is kept: "
            "see that it runs, and give the same command again"
        )
    if future.status == "error":
        error = future.exception()
        if isinstance(error, KilledWorker):
            return [Died(None)]
        raise error
    try:
        return future.result(timeout=_NEXT_WORKER_SECONDS) if future.status == "finished" else None
    except TimeoutError:
        return None


class _Workers:
    """How many threads the cluster has; complains where it has none for long."""

    def __init__(self, client: Any, address: str):
        self._client, self._address = client, address
        self._counted = self._seen = time.monotonic()
        self._patience, self.threads = _FIRST_WORKER_SECONDS, 0

    def count(self) -> None:
        now = time.monotonic()
        if now - self._counted < _COUNT_SECONDS and self.threads:
            return
        with suppress(OSError):  # a scheduler that was lost is told by its tasks
            self.threads = sum(self._client.nthreads().values())
        self._counted = time.monotonic()
        if self.threads:
            self._seen, self._patience = self._counted, _NEXT_WORKER_SECONDS
        elif self._counted - self._seen > self._patience:
            raise InputError(
                f"no worker at the Dask scheduler {self._address} for {self._patience:g} s; start "
                f"some (dask worker {self._address} --nthreads 1), and give the same command again"
            )


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A client of the scheduler. When it closes, the scheduler drops what is left of its work."""
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("--dask needs Dask: pip install 'slr-toolkit[cluster]'") from error
    with _quiet():
        try:
            # Everything goes through the scheduler: often it is all that can be reached.
            client = Client(
                address, timeout=_CONNECT_SECONDS, set_as_default=False, direct_to_workers=False
            )
        except (OSError, ValueError, TypeError, RuntimeError, ImportError) as error:
            raise InputError(
                f"--dask {address}: no Dask scheduler answers there ({error}); expected an address "
                "such as tcp://10.0.0.5:8786, as `dask scheduler` prints it when it starts"
            ) from error
        try:
            yield client
        finally:
            with stopping_waits(), suppress(OSError):
                client.close(timeout=_CLOSE_SECONDS)


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask tells of lost workers on the terminal, where the progress bar is."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "tornado")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="distributed")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _versions() -> dict[str, str]:
    found = dict.fromkeys(_PACKAGES, "none")
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


# From here on: what runs on the Dask workers.


def _do(kind: bytes, task: bytes) -> list[Any]:
    """One task, on a thread of a Dask worker: everything that is said of it, the result last."""
    from distributed import Reschedule, get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        """Whether somebody still waits for this task, and this worker is to go on."""
        state = worker.state.tasks.get(key)
        there = state is not None and state.state != "cancelled"
        return there and worker.status.name not in ("closing", "closed", "failed")

    keeper = _Keeper.idle(kind) or _Keeper(kind)
    try:
        values = keeper.do(pickle.loads(task), wanted)
    except BaseException as error:
        keeper.close()
        if keeper.stopped:  # the client is gone; or another worker has to do it
            raise Reschedule from None
        where = f"the Dask worker {worker.address} on {socket.gethostname()}"
        if isinstance(error, InputError):
            raise InputError(f"{where}: {error}") from None
        raise RuntimeError(f"{where}: {traceback.format_exc()}") from None
    keeper.rest()
    return values


class _Keeper:
    """A crew of one process that is kept between tasks, because models load slowly.

    It ends when no task comes for a few seconds: Dask does not tell a worker that a client is gone.
    """

    _lock = threading.Lock()
    _resting: list["_Keeper"] = []

    def __init__(self, kind: bytes):
        self._kind = kind
        work, timeout, place = pickle.loads(kind)
        # Dask's nanny starts its workers as daemons, which must not have children, since these
        # would outlive them. A crew's do not: they watch their parent.
        if multiprocessing.current_process().daemon:
            multiprocessing.current_process().daemon = False
        theirs, self._lease = multiprocessing.get_context("spawn").Pipe(duplex=False)
        self._crew = Crew(partial(_begin, work, place, theirs), 1, timeout)
        self.stopped = False

    @classmethod
    def idle(cls, kind: bytes) -> "_Keeper | None":
        """One that is resting, if there is one for this kind of work."""
        with cls._lock:
            for keeper in cls._resting:
                if keeper._kind == kind:
                    cls._resting.remove(keeper)
                    keeper._alarm.cancel()
                    return keeper
        return None

    def do(self, task: Any, wanted: Callable[[], bool]) -> list[Any]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_WATCH_SECONDS):
                if not wanted():
                    self.stopped = True
                    self._lease.close()
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            return [report.value for report in self._crew.run([task])]
        finally:
            over.set()
            watcher.join()

    def rest(self) -> None:
        self._alarm = threading.Timer(_IDLE_SECONDS, self._leave)
        self._alarm.daemon = True
        with self._lock:
            self._resting.append(self)
            self._alarm.start()

    def _leave(self) -> None:
        with self._lock:
            if self not in self._resting:
                return  # a task came at the last moment
            self._resting.remove(self)
        self.close()

    def close(self) -> None:
        self._lease.close()
        self._crew.close()


def _begin(work: Work, place: tuple[Path, Path | None, dict[str, str]], lease: Connection) -> Any:
    """In the process: see that it is as on the client's machine, and make what does the tasks."""
    if lease.poll():  # begun anew after it was stopped
        raise InputError("stopped")
    threading.Thread(target=_end_with, args=(lease,), daemon=True).start()
    here, folder, theirs = place
    with suppress(OSError):  # where no path is relative, it does not matter
        os.chdir(here)
    if folder is not None and not folder.exists():
        raise InputError(
            f"{here / folder} is not there; the videos must lie under the same path on every worker"
        )
    ours = _versions()
    if other := [
        f"{name} {ours[name]}, not {theirs[name]}" for name in ours if ours[name] != theirs[name]
    ]:
        raise InputError(
            f"it has {', '.join(other)}, and points would not be the same; install the same "
            "versions on every machine"
        )
    return work()


def _end_with(lease: Connection) -> None:
    with suppress(EOFError, OSError):
        lease.recv()
    os._exit(1)
