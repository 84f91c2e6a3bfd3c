"""Tasks on a Dask cluster, with the same reports as `run_tasks` gives on one machine.

What a task says travels back when it is over, so that whoever calls writes the store alone.
"""

import asyncio
import logging
import pickle
import threading
import time
import uuid
import warnings
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from poseprep.cluster_worker import Place, do_task, package_versions
from poseprep.errors import InputError
from poseprep.stopping import stopping_waits
from poseprep.workers import Died, Report, Work

_CONNECT_SECONDS = 10.0
_CLOSE_SECONDS = 3.0
# Without any worker: at the start somebody forgot them; later, lost ones are often replaced.
_FIRST_WORKER_SECONDS, _NEXT_WORKER_SECONDS = 60.0, 600.0
# How often to count the workers, who come and go.
_COUNT_SECONDS = 2.0
# Tasks handed out ahead, so that nobody idles; and so that clusters that grow with what waits do.
_TASKS_A_THREAD, _FEWEST_TASKS = 2, 32


def run_on_dask(
    work: Work,
    tasks: Iterable[Any],
    address: str,
    timeout: float | None = None,
    folder: Path | None = None,
) -> Generator[Report, None, None]:
    """Run every task on the workers of a Dask scheduler, one at a time on each of their threads.

    The reports of a task come when it is over. A task whose worker is lost is done by another.
    Leaving the iterator early, or being killed, ends the processes on the cluster within seconds.

    Args:
        address: of the scheduler, such as `tcp://10.0.0.5:8786`; nothing else is connected to.
        timeout: as in `run_tasks`.
        folder: what every worker must see under the same path.

    Raises:
        InputError: Dask is not installed, nobody answers at `address`, there are no workers, or a
            worker has other versions than this machine or does not see the folder; or what
            `work()` or a task raised, if it was one.
        RuntimeError: anything else that they raised.
    """
    all_tasks, name = list(tasks), f"slr-{uuid.uuid4().hex}"
    place = Place(folder and folder.absolute(), package_versions())
    # Packed, because Dask looks for its own objects in what it is given.
    kind = pickle.dumps((work, timeout, place))
    running: dict[int, Any] = {}
    begun = 0
    over: SimpleQueue[Any] = SimpleQueue()
    with _connected(address) as client:
        workers = _Workers(client, address)
        while begun < len(all_tasks) or running:
            window = max(_FEWEST_TASKS, _TASKS_A_THREAD * workers.threads)
            while begun < len(all_tasks) and len(running) < window:
                task = pickle.dumps(all_tasks[begun])
                running[begun] = client.submit(do_task, kind, task, key=(name, begun), pure=False)
                running[begun].add_done_callback(over.put)
                begun += 1
            with suppress(Empty):
                future = over.get(timeout=_COUNT_SECONDS)
                values = _values(future, address)
                if values is None:
                    threading.Timer(_COUNT_SECONDS, over.put, (future,)).start()
                else:
                    number = future.key[1]
                    del running[number], future  # Dask forgets the values with the last future
                    for value in values[:-1]:
                        yield Report(number, value, False)
                    yield Report(number, values[-1], True)
            workers.count()


def _values(future: Any, address: str) -> list[Any] | None:
    """What a task said, the result last; None where its worker was lost with it."""
    from distributed import KilledWorker

    try:
        if future.status in ("pending", "lost"):
            return None
        said = future.result(timeout=_NEXT_WORKER_SECONDS)
    except asyncio.TimeoutError:  # another worker does it again, which takes a while
        return None
    except KilledWorker:
        return [Died(None)]
    except (asyncio.CancelledError, CancelledError) as error:
        raise InputError(
            f"the Dask scheduler at {address} was lost, or dropped the work. What is done is kept: "
            "see that it runs, and give the same command again"
        ) from error
    except Exception as error:
        raise InputError(
            f"Dask at {address} could not begin the work ({type(error).__name__}: {error}); "
            "slr-toolkit must be installed, in one version, where its scheduler and workers run"
        ) from error
    if isinstance(said, Exception):
        raise said
    return said


class _Workers:
    """How many threads the cluster has; complains where it has none for long."""

    def __init__(self, client: Any, address: str):
        self._client, self._address = client, address
        self._counted = self._seen = time.monotonic()
        self._patience, self.threads = _FIRST_WORKER_SECONDS, 0

    def count(self) -> None:
        if self.threads and time.monotonic() - self._counted < _COUNT_SECONDS:
            return
        with suppress(OSError):  # that the scheduler was lost, its tasks tell
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
    """A client of the scheduler, which drops what is left of its work when it closes."""
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("--dask needs Dask: pip install 'slr-toolkit[cluster]'") from error
    with _quiet():
        try:
            with warnings.catch_warnings(record=True):  # of other versions of Dask
                # Results come through the scheduler: often nothing else can be reached.
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
            with stopping_waits(), suppress(OSError, asyncio.TimeoutError):
                client.close(timeout=_CLOSE_SECONDS)


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask tells of lost workers on the terminal, where the progress bar is."""
    names = "distributed", "distributed.client", "tornado", "tornado.application"
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
