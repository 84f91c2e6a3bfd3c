"""Tasks on worker processes that report as they go and may die or hang without taking the rest."""

import math
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from poseprep.errors import InputError
from poseprep.stopping import stopping_waits

# A process may die through no fault of its task (too little memory, an administrator): so often
# is a task begun before it is given up.
ATTEMPTS = 3
# Workers that end in a row before they begin a task: then it is not chance.
_MOST_STILLBORN = 3
_START_SECONDS = 600.0  # loading from a busy network file system is slow, but it ends

# What a worker says: it has taken the task, how far it is, the result, what went wrong.
_BEGUN, _PROGRESS, _RESULT, _FAILED, _ENDED = range(5)

Work = Callable[[], Callable[[Any], Iterator[Any]]]


class Report(NamedTuple):
    """A worker's word on a task: `value` as the worker sent it; `last` when the task is over.

    A task whose process died is begun anew, and tells everything from the start again.
    """

    task: int
    value: Any
    last: bool


class Died(NamedTuple):
    """The value of the last report where the process ended at every attempt, such as by a crash."""

    exit_code: int | None


class TimedOut(NamedTuple):
    """The value of the last report where the worker said nothing for so long that it was ended."""

    seconds: float


class Crew:
    """Up to `workers` processes that do tasks: they live until the crew is closed.

    `work()` is called once in each process and gives the function that does a task: a
    generator whose last value is the result, and whose earlier ones tell of progress.
    Processes are spawned, never forked: MediaPipe's threads do not survive a fork.

    Args:
        timeout: seconds without a word after which a worker is ended; None waits for ever.
    """

    def __init__(self, work: Work, workers: int, timeout: float | None = None):
        self._work, self._size = work, workers
        self._timeout = math.inf if timeout is None else timeout
        self._workers: list[_Worker] = []
        self._closed = False

    def run(self, tasks: Iterable[Any]) -> Iterator[Report]:
        """Do every task; yields reports as they come.

        Raises:
            InputError: what `work()` or a task raised, if it was one.
            RuntimeError: anything else they raised, with the traceback; or no process came so
                far as to begin a task.
        """
        all_tasks = list(tasks)
        waiting, unfinished = deque(range(len(all_tasks))), len(all_tasks)
        died: Counter[int] = Counter()
        stillborn = 0
        while unfinished:
            if self._closed:
                raise RuntimeError("the crew was closed while it was at work")
            self._give(waiting, all_tasks)
            for worker, word, value in self._hear():
                task = worker.task
                if word == _BEGUN:
                    worker.begun, stillborn = True, 0
                elif word == _PROGRESS:
                    yield Report(task, value, False)
                elif word == _FAILED:
                    raise value
                elif word == _ENDED and not worker.begun:  # it never saw the task
                    waiting.appendleft(task)
                    stillborn += 1
                    if stillborn > _MOST_STILLBORN:
                        raise RuntimeError(f"worker processes do not start ({value})")
                else:
                    worker.task = None
                    died[task] += isinstance(value, Died)
                    if isinstance(value, Died) and died[task] < ATTEMPTS:
                        waiting.appendleft(task)
                        continue
                    unfinished -= 1
                    yield Report(task, value, True)

    def _give(self, waiting: deque[int], tasks: list[Any]) -> None:
        """Put everybody to work, as long as there is some."""
        idle = [worker for worker in self._workers if worker.task is None]
        while waiting and (idle or len(self._workers) < self._size):
            if not idle:
                with stopping_waits():  # or a process might start and be forgotten
                    self._workers.append(_Worker(self._work))
                idle.append(self._workers[-1])
            task = waiting.popleft()
            idle.pop().give(task, tasks[task])

    def _hear(self) -> Iterator[tuple["_Worker", int, Any]]:
        """What those at work have to say; waits for a word, or for one to be silent too long."""
        by_pipe = {worker.connection: worker for worker in self._workers if worker.task is not None}
        now = time.monotonic()
        silence = min(worker.deadline(self._timeout) for worker in by_pipe.values()) - now
        ready = wait(list(by_pipe), None if silence == math.inf else max(0.0, silence))
        for pipe in ready:
            worker = by_pipe[pipe] if isinstance(pipe, Connection) else None
            if worker is not None:
                word, value = worker.hear()
                if word == _ENDED:
                    self._workers.remove(worker)
                yield worker, word, value
        if ready:
            return  # who was silent because nobody listened gets another turn
        for worker in by_pipe.values():
            if worker.deadline(self._timeout) <= time.monotonic():
                self._workers.remove(worker)
                worker.end()
                yield worker, _ENDED, TimedOut(self._timeout)

    def close(self) -> None:
        """End the processes, whatever they are doing. Another thread may call it, too."""
        self._closed = True
        with stopping_waits():
            while self._workers:
                self._workers.pop().end()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def run_tasks(
    work: Work, tasks: Iterable[Any], workers: int, timeout: float | None = None
) -> Generator[Report, None, None]:
    """Run every task on a `Crew` of its own. Leaving the iterator early ends the processes."""
    with Crew(work, workers, timeout) as crew:
        yield from crew.run(tasks)


def start_quietly(process: BaseProcess) -> None:
    """Start a process that Ctrl-C does not reach: it is the parent's to handle.

    Raises:
        InputError: the system has no room for it.
    """
    resource_tracker.ensure_running()  # it lets Ctrl-C through when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the process inherits it
    try:
        process.start()
    except OSError as error:
        raise InputError(
            f"a worker process cannot be started ({error.strerror}); give fewer --workers"
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Worker:
    """A process, our end of the pipe to it, and the task that it was given."""

    def __init__(self, work: Work):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        try:
            start_quietly(self._process)
        finally:
            theirs.close()
        self.task: Any = None
        self.begun = False
        self._spoke = time.monotonic()

    def give(self, number: int, task: Any) -> None:
        self.task, self.begun, self._spoke = number, False, time.monotonic()
        with suppress(OSError):  # it died while it waited: `hear` tells
            self.connection.send(task)

    def hear(self) -> tuple[int, Any]:
        self._spoke = time.monotonic()
        try:
            return self.connection.recv()
        except (EOFError, OSError):  # also: it was killed while it spoke
            self.connection.close()
            self._process.join()
            return _ENDED, Died(self._process.exitcode)

    def deadline(self, timeout: float) -> float:
        """When its silence is too long; on the monotonic clock."""
        return self._spoke + (timeout if self.begun else max(timeout, _START_SECONDS))

    def end(self) -> None:
        self.connection.close()
        self._process.kill()  # not asked first: decoding or a hanging disk would not answer
        self._process.join()


def _serve(connection: Connection, work: Work) -> None:
    """A worker's life: take a task, send what it yields, until the pipe closes."""
    # MediaPipe and FFmpeg write to the terminal past Python: the progress bar is there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    threading.Thread(target=end_with_the_parent, daemon=True).start()
    try:
        do = work()
        while True:
            task = connection.recv()
            connection.send((_BEGUN, None))
            previous: list[Any] = []
            for value in do(task):
                if previous:
                    connection.send((_PROGRESS, previous.pop()))
                previous.append(value)
            connection.send((_RESULT, previous.pop()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent has ended, or wants no more
    except InputError as error:
        connection.send((_FAILED, error))
    except Exception:
        connection.send((_FAILED, RuntimeError(f"in a worker process:\n{traceback.format_exc()}")))


def end_with_the_parent() -> None:
    """A killed parent must not leave workers behind, hanging ones least of all."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
