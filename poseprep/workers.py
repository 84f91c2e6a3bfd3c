"""Tasks on worker processes that report as they go and may die without taking the rest along."""

import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from poseprep.errors import InputError
from poseprep.stopping import stopping_waits

# A finished task waits in memory until those before it are done: not too many of them.
_AHEAD = 16
# Workers that end in a row before they begin a task: then it is not chance.
_MOST_STILLBORN = 3

# What a worker says: it has taken the task, how far it is, the result, what went wrong.
_BEGUN, _PROGRESS, _RESULT, _FAILED, _ENDED = range(5)

Work = Callable[[], Callable[[Any], Iterator[Any]]]


class Report(NamedTuple):
    """A worker's word on a task: `value` as the worker sent it; `last` when the task is over."""

    task: int
    value: Any
    last: bool


class Died(NamedTuple):
    """The value of the last report where the process itself ended, such as by a crash."""

    exit_code: int | None


def run_tasks(work: Work, tasks: Sequence[Any], workers: int) -> Iterator[Report]:
    """Run every task on one of `workers` processes; yields reports as they come.

    `work()` is called once in each process and gives the function that does a task: a
    generator whose last value is the result, and whose earlier ones tell of progress.
    Processes are spawned, never forked: MediaPipe's threads do not survive a fork. Leaving
    the iterator early ends the processes.

    Raises:
        InputError: what `work()` or a task raised, if it was one.
        RuntimeError: anything else they raised, with the traceback; or no process came so far
            as to begin a task.
    """
    waiting, unfinished = deque(range(len(tasks))), set(range(len(tasks)))
    crew: list[_Worker] = []
    stillborn = 0
    try:
        while unfinished:
            idle = [worker for worker in crew if worker.task is None]
            while (idle or len(crew) < workers) and waiting:
                if waiting[0] >= min(unfinished) + _AHEAD * workers:
                    break
                if not idle:
                    with stopping_waits():  # or a process might start and be forgotten
                        crew.append(_Worker(work))
                    idle.append(crew[-1])
                task = waiting.popleft()
                idle.pop().give(task, tasks[task])
            for worker in _speaking(crew):
                word, value = worker.hear()
                task = worker.task
                if word == _BEGUN:
                    worker.begun, stillborn = True, 0
                elif word == _PROGRESS:
                    yield Report(task, value, False)
                elif word == _FAILED:
                    raise value
                elif word == _ENDED and not worker.begun:  # it never saw the task
                    crew.remove(worker)
                    waiting.appendleft(task)
                    stillborn += 1
                    if stillborn > _MOST_STILLBORN:
                        raise RuntimeError(f"worker processes do not start ({value})")
                else:
                    if word == _ENDED:
                        crew.remove(worker)
                    worker.task = None
                    unfinished.remove(task)
                    yield Report(task, value, True)
    finally:
        for worker in crew:
            worker.end()


class _Worker:
    """A process, our end of the pipe to it, and the task that it was given."""

    def __init__(self, work: Work):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        # The process inherits what is held back: Ctrl-C is the parent's to handle.
        resource_tracker.ensure_running()  # it lets Ctrl-C through when it starts
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._process.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self.task: Any = None
        self.begun = False

    def give(self, number: int, task: Any) -> None:
        self.task, self.begun = number, False
        with suppress(OSError):  # it died while it waited: `hear` tells
            self.connection.send(task)

    def hear(self) -> tuple[int, Any]:
        try:
            return self.connection.recv()
        except (EOFError, OSError):  # also: it was killed while it spoke
            self.connection.close()
            self._process.join()
            return _ENDED, Died(self._process.exitcode)

    def end(self) -> None:
        self.connection.close()
        self._process.terminate()
        self._process.join()


def _speaking(crew: list[_Worker]) -> list[_Worker]:
    """Those at work who have something to say, or ended; waits until there is one."""
    by_pipe = {worker.connection: worker for worker in crew if worker.task is not None}
    return [by_pipe[pipe] for pipe in wait(list(by_pipe)) if isinstance(pipe, Connection)]


def _serve(connection: Connection, work: Work) -> None:
    """A worker's life: take a task, send what it yields, until the pipe closes."""
    # MediaPipe and FFmpeg write to the terminal past Python: the progress bar is there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
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
    except (EOFError, BrokenPipeError):
        return  # the parent has ended, or wants no more
    except InputError as error:
        connection.send((_FAILED, error))
    except Exception:
        connection.send((_FAILED, RuntimeError(f"in a worker process:\n{traceback.format_exc()}")))
