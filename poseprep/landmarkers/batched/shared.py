"""One engine for several processes: a GPU is kept busy by one that looks at everybody's frames.

The processes that decode videos hand over their frames in shared memory and ask for looks; what
has come in while the engine was busy is looked at together, whatever video it is of.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import accumulate
from multiprocessing import get_context
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped, UInt8

from poseprep.errors import EngineError, InputError
from poseprep.landmarkers.batched.engine import LocalEngine, Places
from poseprep.stopping import stopping_waits
from poseprep.workers import end_with_the_parent, start_quietly

# A socket's path may have 107 bytes, and some have long folders for what is temporary.
_LONGEST_FOLDER = 70
# What a process asks for.
_LOAD, _LOOK = range(2)

MakeEngine = Callable[[], LocalEngine]


class SharedEngine:
    """The engine of another process, for one that decodes.

    Args:
        address: what `sharing` gave.
    """

    def __init__(self, address: str):
        try:
            self._connection = Client(address, "AF_UNIX")
        except OSError as error:
            raise InputError(_GONE) from error
        self._file: int | None = None
        self._memory: mmap.mmap | None = None
        self._loads = 0

    def load(self, frames: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> int:
        """The frames' number: the engine keeps those that were loaded last."""
        memory, place = self._ensure(sum(frame.nbytes for frame in frames))
        start = 0
        for frame in frames:
            flat = np.ascontiguousarray(frame).reshape(-1)
            np.frombuffer(memory, np.uint8, flat.size, start)[:] = flat
            start += flat.size
        self._loads += 1
        self._ask(_LOAD, self._loads, place, [frame.shape for frame in frames])
        return self._loads

    def look(
        self, network: str, frames: int, which: Int[np.ndarray, " K"], places: Places
    ) -> list[Shaped[np.ndarray, "K ..."]]:
        """See `engine.Engine`."""
        return self._ask(_LOOK, frames, network, which, np.asarray(places, np.float32))

    def _ensure(self, size: int) -> tuple[mmap.mmap, str | None]:
        """Memory for so many bytes, and if it is new, where the other process finds it.

        A file of the kernel's: it goes with this process, however that ends, and a small /dev/shm
        (64 MB in a container) does not limit it.
        """
        if self._memory is not None and len(self._memory) >= size:
            return self._memory, None
        if self._file is not None:
            os.close(self._file)
        self._file = os.memfd_create("slr-frames")
        os.truncate(self._file, max(size, 1))
        self._memory = mmap.mmap(self._file, 0)
        return self._memory, f"/proc/{os.getpid()}/fd/{self._file}"

    def _ask(self, *request: Any) -> Any:
        try:
            self._connection.send(request)
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise InputError(_GONE) from error
        if isinstance(answer, Exception):
            raise answer
        return answer


_GONE = (
    "the process that runs the networks has ended (too little memory? the system's log may tell); "
    "run the same command again to go on"
)


@contextmanager
def sharing(make: MakeEngine) -> Iterator[str]:
    """Run an engine in a process of its own; yields the address for `SharedEngine`.

    Args:
        make: makes the engine, there.

    Raises:
        InputError: what `make` raised, if it was one.
        EngineError: anything else that ended the process at its start.
    """
    context = get_context("spawn")
    where = tempfile.gettempdir()
    where = where if len(os.fsencode(where)) <= _LONGEST_FOLDER else "/tmp"
    with ExitStack() as undo:
        folder = undo.enter_context(tempfile.TemporaryDirectory(prefix="slr-", dir=where))
        address = str(Path(folder, "socket"))
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, address, make), daemon=True)
        with stopping_waits():  # or it might start and be forgotten
            start_quietly(process)
            undo.callback(_end, process)
        theirs.close()
        try:
            said = ours.recv()
        except EOFError as error:
            raise EngineError("the process for the networks ended at its start") from error
        if said is not None:
            raise said
        yield address


def _end(process: Any) -> None:
    with stopping_waits():
        process.kill()
        process.join()


def _serve(parent: Connection, address: str, make: MakeEngine) -> None:
    """The engine's process: says None when it is ready, or what went wrong."""
    threading.Thread(target=end_with_the_parent, daemon=True).start()
    try:
        engine = make()
        listener = Listener(address, "AF_UNIX", backlog=128)
    except Exception as error:
        parent.send(_told(error))
        return
    requests: SimpleQueue[_Request] = SimpleQueue()
    threading.Thread(target=_accept, args=(listener, requests), daemon=True).start()
    parent.send(None)
    while True:
        waiting = [requests.get()]
        with suppress(Empty):
            while True:
                waiting.append(requests.get_nowait())
        answer_all(engine, waiting)


class _Asker:
    """A process that asks, as the engine's process knows it. It asks for one thing at a time."""

    def __init__(self) -> None:
        self.answers: SimpleQueue[Any] = SimpleQueue()
        self.memory: mmap.mmap | None = None
        self.loads = self.count = 0
        self.loaded: Any = None


class _Request(NamedTuple):
    """What one of them asks for."""

    asker: _Asker
    kind: int
    arguments: tuple[Any, ...]

    def answer(self, answer: Any) -> None:
        self.asker.answers.put(answer)


def answer_all(engine: LocalEngine, requests: Sequence[_Request]) -> None:
    """Do what was asked for: frames are loaded, and looks through one network are one look."""
    looks: dict[str, list[_Request]] = {}
    for request in requests:
        if request.kind == _LOAD:
            _load(engine, request)
        else:
            looks.setdefault(request.arguments[1], []).append(request)
    for network, asked in looks.items():
        try:
            _look(engine, network, asked)
        except Exception as error:
            for request in asked:
                request.answer(_told(error))


def _load(engine: LocalEngine, request: _Request) -> None:
    asker, (number, place, shapes) = request.asker, request.arguments
    try:
        if place is not None:
            with open(place, "r+b") as file:
                asker.memory = mmap.mmap(file.fileno(), 0)
        sizes = [int(np.prod(shape)) for shape in shapes]
        starts = accumulate(sizes, initial=0)
        # They stay as they are until who asks has had all looks at them answered.
        frames = [
            np.frombuffer(asker.memory or b"", np.uint8, size, start).reshape(shape)
            for shape, size, start in zip(shapes, sizes, starts, strict=False)
        ]
        asker.loads, asker.count, asker.loaded = number, len(frames), engine.load(frames)
        request.answer(None)
    except Exception as error:
        request.answer(_told(error))


def _look(engine: LocalEngine, network: str, requests: Sequence[_Request]) -> None:
    for request in requests:
        if request.arguments[0] != request.asker.loads:
            raise EngineError(
                f"frames {request.arguments[0]} are asked for, {request.asker.loads} are there"
            )
    askers = [request.asker for request in requests]
    firsts = accumulate((asker.count for asker in askers), initial=0)
    which = [request.arguments[2] + first for request, first in zip(requests, firsts, strict=False)]
    places = [request.arguments[3] for request in requests]
    outputs = engine.look(
        network,
        engine.join([asker.loaded for asker in askers]),
        np.concatenate(which),
        np.concatenate(places),
    )
    ends = list(accumulate(map(len, which)))
    for request, start, end in zip(requests, [0, *ends], ends, strict=False):
        request.answer([output[start:end] for output in outputs])


def _told(error: Exception) -> Exception:
    """What can be sent to another process."""
    if isinstance(error, (InputError, EngineError)):
        return error
    return EngineError("".join(traceback.format_exception(error)))


def _accept(listener: Listener, requests: SimpleQueue[_Request]) -> None:
    while True:
        connection = listener.accept()
        threading.Thread(target=_converse, args=(connection, requests), daemon=True).start()


def _converse(connection: Connection, requests: SimpleQueue[_Request]) -> None:
    """Listen to one asker and answer it, until it ends; one that is stopped stops nobody else."""
    asker = _Asker()
    with suppress(EOFError, OSError):
        while True:
            kind, *arguments = connection.recv()
            requests.put(_Request(asker, kind, tuple(arguments)))
            connection.send(asker.answers.get())
