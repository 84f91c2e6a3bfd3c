"""One engine for several processes: a GPU is kept busy by one that looks at everybody's frames.

The processes that decode videos hand over their frames in shared memory and ask for looks; what
has come in while the engine was busy is looked at together, whatever video it is of.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from poseprep.errors import InputError
from poseprep.landmarkers.batched.engine import LocalEngine, Rectangles

# Kept in memory where there is such a place.
_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
# What a process asks for.
_LOAD, _LOOK = range(2)

MakeEngine = Callable[[], LocalEngine]


class SharedEngine:
    """The engine of another process, for one that decodes.

    Args:
        address: what `sharing` gave.
    """

    def __init__(self, address: str):
        self._connection = Client(address, "AF_UNIX")
        self._memory: mmap.mmap | None = None
        self._loads = 0

    def load(self, frames: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> int:
        """The frames' number: the engine keeps those that were loaded last."""
        size = sum(frame.nbytes for frame in frames)
        place = self._ensure(size)
        memory = self._memory
        if memory is None:
            raise RuntimeError("frames were loaded into no memory")
        start = 0
        for frame in frames:
            flat = np.ascontiguousarray(frame).reshape(-1)
            np.frombuffer(memory, np.uint8, flat.size, start)[:] = flat
            start += flat.size
        self._loads += 1
        try:
            self._ask(_LOAD, self._loads, place, [frame.shape for frame in frames])
        finally:
            if place is not None:
                os.unlink(place)  # the other process has it open by now
        return self._loads

    def look(
        self, network: str, frames: int, which: Int[np.ndarray, " K"], places: Rectangles
    ) -> list[Float[np.ndarray, "K ..."]]:
        """See `engine.Engine`."""
        return self._ask(_LOOK, frames, network, which, np.asarray(places, np.float32))

    def _ensure(self, size: int) -> str | None:
        """Memory for so many bytes; its path, if it is new."""
        if self._memory is not None and len(self._memory) >= size:
            return None
        handle, path = tempfile.mkstemp(prefix="slr-frames-", dir=_MEMORY)
        with os.fdopen(handle, "r+b") as file:
            file.truncate(max(size, 1))
            self._memory = mmap.mmap(file.fileno(), 0)
        return path

    def _ask(self, *request: Any) -> Any:
        try:
            self._connection.send(request)
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise InputError(
                "the process that runs the networks has ended (see its last words above, or the "
                "system's log: too little memory?); run the same command again to go on"
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def sharing(make: MakeEngine) -> Iterator[str]:
    """Run an engine in a process of its own; yields the address for `SharedEngine`.

    Args:
        make: makes the engine, there.

    Raises:
        InputError: what `make` raised, if it was one.
        RuntimeError: anything else that ended the process at its start.
    """
    context = get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="slr-engine-") as folder:
        address = str(Path(folder, "socket"))
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, address, make), daemon=True)
        process.start()
        theirs.close()
        try:
            said = ours.recv()
            if said is not None:
                raise said
            yield address
        except EOFError as error:
            raise RuntimeError("the process for the networks ended at its start") from error
        finally:
            process.kill()
            process.join()


def _serve(parent: Connection, address: str, make: MakeEngine) -> None:
    """The engine's process: says None when it is ready, or what went wrong."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        engine = make()
        listener = Listener(address, "AF_UNIX", backlog=128)
    except Exception as error:
        parent.send(error if isinstance(error, InputError) else RuntimeError(repr(error)))
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
    """A process that asks, as the engine's process knows it."""

    def __init__(self, connection: Connection):
        self.connection = connection
        self.memory: mmap.mmap | None = None
        self.loads = self.count = 0
        self.loaded: Any = None


class _Request:
    """What one of them asks for."""

    def __init__(self, asker: _Asker, said: tuple[Any, ...]):
        self.asker, self.kind, self.arguments = asker, said[0], said[1:]

    def answer(self, answer: Any) -> None:
        with suppress(OSError):  # it died meanwhile
            self.asker.connection.send(answer)


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
        memory = asker.memory or b""
        # Copied: they are overwritten before the engine must be done with them.
        frames = [
            np.frombuffer(memory, np.uint8, size, start).reshape(shape).copy()
            for shape, size, start in zip(shapes, sizes, starts, strict=False)
        ]
        asker.loads, asker.count, asker.loaded = number, len(frames), engine.load(frames)
        request.answer(None)
    except Exception as error:
        request.answer(_told(error))


def _look(engine: LocalEngine, network: str, requests: Sequence[_Request]) -> None:
    for request in requests:
        if request.arguments[0] != request.asker.loads:
            raise RuntimeError(
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
    if isinstance(error, InputError):
        return error
    if type(error).__name__ == "OutOfMemoryError":
        return InputError(
            f"the GPU's memory is full ({error}); give a smaller --batch or fewer --workers"
        )
    return RuntimeError(f"in the process for the networks: {error!r}")


def _accept(listener: Listener, requests: SimpleQueue[_Request]) -> None:
    while True:
        asker = _Asker(listener.accept())
        threading.Thread(target=_hear, args=(asker, requests), daemon=True).start()


def _hear(asker: _Asker, requests: SimpleQueue[_Request]) -> None:
    with suppress(EOFError, OSError):
        while True:
            requests.put(_Request(asker, asker.connection.recv()))


def _end_with_the_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
