"""Tasks on worker processes that report as they go and may die without taking the rest along."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, cast

# A finished task waits in memory until those before it are done: not too many of them.
_AHEAD = 16


class Report(NamedTuple):
    """A worker's word on a task: `value` as the worker sent it; `last` when the task is over."""

    task: int
    value: Any
    last: bool


class Died(NamedTuple):
    """The value of the last report where the process itself ended, such as by a crash."""

    exit_code: int | None


def run_tasks(
    work: Callable[[], Callable[[Any], Iterator[Any]]], tasks: Sequence[Any], workers: int
) -> Iterator[Report]:
    """Run every task on one of `workers` processes; yields reports as they come.

    `work()` is called once in each process and gives the function that does a task: a
    generator whose last value is the result, and whose earlier ones tell of progress.
    Processes are spawned, never forked: MediaPipe's threads do not survive a fork. Leaving
    the iterator early ends the processes.
    """
    context = multiprocessing.get_context("spawn")
    busy: dict[Connection, tuple[Any, int]] = {}
    waiting, unfinished = list(range(len(tasks)))[::-1], set(range(len(tasks)))

    def start_worker() -> tuple[Connection, Any]:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        process.start()
        theirs.close()
        return ours, process

    def give(connection: Connection, process: Any) -> None:
        if waiting and waiting[-1] < min(unfinished) + _AHEAD * workers:
            task = waiting.pop()
            busy[connection] = process, task
            with suppress(BrokenPipeError):  # it died waiting: its end of the pipe tells, below
                connection.send(tasks[task])
        else:
            idle.append((connection, process))

    idle: list[tuple[Connection, Any]] = []
    try:
        for _ in range(min(workers, len(tasks))):
            give(*start_worker())
        while busy:
            for connection in cast(list[Connection], wait(list(busy))):
                process, task = busy[connection]
                try:
                    value, last = connection.recv()
                except (EOFError, ConnectionResetError):
                    process.join()
                    value, last = Died(process.exitcode), True
                    del busy[connection]
                    if waiting:
                        idle.append(start_worker())
                else:
                    if last:
                        del busy[connection]
                        idle.append((connection, process))
                if last:
                    unfinished.discard(task)
                yield Report(task, value, last)
            ready, idle[:] = list(idle), []
            for worker in ready:
                give(*worker)
    finally:
        everyone = [(c, p) for c, (p, _) in busy.items()] + idle
        for connection, process in everyone:
            connection.close()
            process.terminate()
        for _, process in everyone:
            process.join()


def _serve(connection: Connection, work: Callable[[], Callable[[Any], Iterator[Any]]]) -> None:
    """A worker's life: take a task, send what it yields, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    # MediaPipe and FFmpeg write to the terminal past Python: the progress bar is there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    do = work()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        previous: list[Any] = []
        for value in do(task):
            if previous:
                connection.send((previous.pop(), False))
            previous.append(value)
        connection.send((previous.pop(), True))
