"""MediaPipe's graphs: its C++ core alone, one thread, and only the nodes that are needed.

`import mediapipe` also brings its task library with JAX, matplotlib and sound; the core is
one extension module, which is loaded by itself: 0.02 s of CPU and 50 MB instead of 0.6 s and
200 MB.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from poseprep.landmarkers.mediapipe_wire import field, fields

_CORE = "mediapipe.python._framework_bindings"
# What MediaPipe itself takes for the time between two frames, microseconds.
_STEP = 33_333


@cache
def wheel() -> Path:
    """The folder of the installed package."""
    spec = find_spec("mediapipe")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("mediapipe is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def core() -> ModuleType:
    """MediaPipe's extension module, without the Python packages around it."""
    # Before it is loaded: its greetings and warnings about its own models.
    os.environ.setdefault("GLOG_minloglevel", "3")
    if _CORE not in sys.modules:
        spec = PathFinder.find_spec(_CORE, [str(wheel() / "python")])
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(f"{wheel()}: no {_CORE}; reinstall mediapipe 0.10.21")
        # Under its own name, so that a later `import mediapipe` takes this one.
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[_CORE] = module
    module = sys.modules[_CORE]
    module.resource_util.set_resource_dir(str(wheel().parent))
    return module


class Graph:
    """A running graph with one frame a call, on the caller's own thread.

    Args:
        config: what it is made of.
        outputs: the streams to observe.
        side: the values of its side packets; those that it does not take are left out.
    """

    def __init__(self, config: Config, outputs: Iterable[str], side: Mapping[str, Any]):
        taken = {_untagged(name) for name in config.side_inputs}
        # The module takes bytes from a file only; else text, or a message of Python's protobuf.
        # A file in memory: a full /tmp is no reason to fail.
        with open(os.memfd_create("graph"), "wb") as file:
            file.write(config.message())
            file.flush()
            path = f"/proc/self/fd/{file.fileno()}"
            self._graph = core().calculator_graph.CalculatorGraph(binary_graph_path=path)
        self._seen: dict[str, Any] = {}
        self._time = 0
        for output in outputs:
            self._graph.observe_output_stream(output, self._seen.__setitem__)
        self._side = {k: _side_packet(v) for k, v in side.items() if k in taken}
        self._graph.start_run(self._side)

    def __call__(self, **inputs: Any) -> dict[str, Any]:
        """Send packets into the input streams; what the observed streams gave, if anything."""
        self._seen.clear()
        self._time += _STEP
        for stream, packet in inputs.items():
            self._graph.add_packet_to_input_stream(stream, packet.at(self._time))
        self._graph.wait_until_idle()
        return self._seen

    def restart(self) -> None:
        """Forget every frame, as `reset` in MediaPipe's Python API does; costs two frames or so."""
        self._graph.close()
        self._time = 0
        self._graph.start_run(self._side)

    def close(self) -> None:
        self._graph.close()


def image_packet(frame: UInt8[np.ndarray, "H W 3"]) -> Any:
    """A frame as MediaPipe takes it, by reference: it must not change while a graph runs."""
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"expected (H, W, 3) uint8 RGB, found {frame.shape} {frame.dtype}")
    view = np.ascontiguousarray(frame).view()
    view.flags.writeable = False  # what MediaPipe asks of what it does not copy
    return core()._packet_creator._create_image_frame_from_pixel_data(
        core().image_frame.ImageFormat.SRGB, view, False
    )


def rectangle_packet(message: bytes) -> Any:
    """A NormalizedRect's bytes as a packet."""
    return core()._packet_creator._create_proto("mediapipe.NormalizedRect", message)


def message(packet: Any) -> bytes:
    """The bytes of the message in a packet."""
    return core()._packet_getter._get_serialized_proto(packet)


def number(packet: Any) -> float:
    """The number in a packet."""
    return core()._packet_getter.get_float(packet)


# Field numbers in mediapipe/framework/calculator.proto.
_NODE, _INPUT, _EXECUTOR, _INPUT_SIDE = 1, 10, 14, 16
_EXECUTOR_TYPE = 2
NODE_INPUT, NODE_OUTPUT, NODE_INPUT_SIDE, NODE_OUTPUT_SIDE, NODE_OPTIONS = 3, 4, 5, 6, 7


class Config(NamedTuple):
    """A graph's configuration: its nodes, and the streams and side packets that go in.

    As bytes, never as text: MediaPipe's own text of a graph rounds its numbers.
    """

    nodes: tuple[bytes, ...]
    inputs: tuple[str, ...]
    side_inputs: tuple[str, ...]

    @classmethod
    def of_wheel(cls, path: str) -> Config:
        """A graph of the wheel, by its path in there, with every graph inside it spelled out."""
        validated = core().validated_graph_config.ValidatedGraphConfig()
        validated.initialize(binary_graph_path=str(wheel() / path))
        return cls.of(validated.binary_config)

    @classmethod
    def of(cls, binary: bytes) -> Config:
        found: dict[int, list[bytes]] = {_NODE: [], _INPUT: [], _INPUT_SIDE: []}
        for number, value in fields(binary):
            if number in found:
                found[number].append(value)
        return cls(
            tuple(found[_NODE]),
            tuple(name.decode() for name in found[_INPUT]),
            tuple(name.decode() for name in found[_INPUT_SIDE]),
        )

    @staticmethod
    def gives(node: bytes, stream: str) -> bool:
        """Whether a stream comes out of a node."""
        return stream in _names(node, NODE_OUTPUT)

    def giving(self, streams: Iterable[str]) -> Config:
        """The nodes that these streams need, and no others."""
        needed, kept = set(streams), set[int]()
        while True:
            more = {
                i
                for i, node in enumerate(self.nodes)
                if i not in kept and needed & _names(node, NODE_OUTPUT, NODE_OUTPUT_SIDE)
            }
            if not more:
                break
            kept |= more
            for i in more:
                needed |= _names(self.nodes[i], NODE_INPUT, NODE_INPUT_SIDE)
        return Config(
            tuple(self.nodes[i] for i in sorted(kept)),
            tuple(name for name in self.inputs if _untagged(name) in needed),
            tuple(name for name in self.side_inputs if _untagged(name) in needed),
        )

    def message(self) -> bytes:
        """All of it, to be run on the caller's thread: workers share the cores already."""
        executor = field(_EXECUTOR_TYPE, b"ApplicationThreadExecutor")
        return b"".join(
            [field(_NODE, node) for node in self.nodes]
            + [field(_INPUT, name.encode()) for name in self.inputs]
            + [field(_INPUT_SIDE, name.encode()) for name in self.side_inputs]
            + [field(_EXECUTOR, executor)]
        )


def _names(node: bytes, *numbers: int) -> set[str]:
    """The streams and side packets of a node, without their tags."""
    return {_untagged(value.decode()) for number, value in fields(node) if number in numbers}


def _untagged(name: str) -> str:
    return name.rpartition(":")[2]


def _side_packet(value: bool | int | bytes) -> Any:
    creator = core()._packet_creator
    if isinstance(value, bool):
        return creator.create_bool(value)
    return creator.create_int(value) if isinstance(value, int) else creator.create_string(value)
