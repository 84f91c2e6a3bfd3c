"""A TensorFlow Lite file as a plain value: operators, shapes, and constants as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from poseprep.errors import InputError
from poseprep.landmarkers.batched.sparse import densified
from poseprep.landmarkers.flatbuffer import needed, operator_names, unpack


class Strange(InputError):
    """A network of another kind than Holistic's."""


# What a network may be made of; schema.fbs numbers types of tensors.
_TYPES: dict[int, type[np.generic]] = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64}
# Operator → the fewest and the most inputs that it has; it has one output.
_INPUTS = {
    "ADD": (2, 2),
    "CONCATENATION": (1, 100),
    "CONV_2D": (2, 3),
    "DENSIFY": (1, 1),
    "DEPTHWISE_CONV_2D": (2, 3),
    "DEPTH_TO_SPACE": (1, 1),
    "DEQUANTIZE": (1, 1),
    "FULLY_CONNECTED": (2, 3),
    "LOGISTIC": (1, 1),
    "MAX_POOL_2D": (1, 1),
    "MEAN": (2, 2),
    "MUL": (2, 2),
    "PAD": (2, 2),
    "PRELU": (2, 2),
    "RELU": (1, 1),
    "RESHAPE": (1, 2),
    "RESIZE_BILINEAR": (2, 2),
    "STRIDED_SLICE": (4, 4),
}
# Their third input, the bias, may be left out (-1).
_WITH_BIAS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_STRIDES = ("strideH", "strideW")
_DILATIONS = ("dilationHFactor", "dilationWFactor")
_OPTIONS = {
    "CONCATENATION": ("axis",),
    "CONV_2D": (*_STRIDES, *_DILATIONS, "padding"),
    "DEPTHWISE_CONV_2D": (*_STRIDES, *_DILATIONS, "depthMultiplier", "padding"),
    "DEPTH_TO_SPACE": ("blockSize",),
    "MAX_POOL_2D": (*_STRIDES, "filterHeight", "filterWidth", "padding"),
    "MEAN": ("keepDims",),
    "RESIZE_BILINEAR": ("alignCorners", "halfPixelCenters"),
    "STRIDED_SLICE": ("beginMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask"),
}
_AT_LEAST_1 = {*_STRIDES, *_DILATIONS, "blockSize", "filterHeight", "filterWidth"}
# Of one tensor. The largest in the wheel has 1.6 million.
_MOST_VALUES = 1 << 26
# Of all constants, which several tensors may be of one buffer. In the wheel there are 3 million.
_MOST_CONSTANTS = 1 << 26


@dataclass(frozen=True)
class Operator:
    """A step of a network; inputs and outputs are numbers of tensors, -1 an input left out."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Network:
    """What there is to run.

    Attributes:
        operators: in the order in which they run; none that only unread outputs need.
        input: the number of the input tensor, (1, H, W, 3).
        outputs: those of the outputs that are read.
        shapes: of every tensor, for a batch of one.
        constants: float32 or integers; sparse and half-precision ones written out.
    """

    operators: tuple[Operator, ...]
    input: int
    outputs: tuple[int, ...]
    shapes: Mapping[int, tuple[int, ...]]
    constants: Mapping[int, np.ndarray]


@dataclass(frozen=True)
class End:
    """A tensor that goes in or comes out."""

    name: str
    shape: tuple[int, ...]
    float32: bool


@dataclass(frozen=True)
class Ends:
    """What goes into a network and comes out of it."""

    inputs: tuple[End, ...]
    outputs: tuple[End, ...]


def read_ends(data: bytes, what: str) -> Ends:
    """What goes into a network and comes out of it.

    Args:
        data: a TensorFlow Lite file.
        what: its name, for errors.

    Raises:
        InputError: the file is damaged, or no network that we know.
    """
    graph = _Graph(data, what)
    return Ends(graph.ends(graph.inputs), graph.ends(graph.outputs))


def read_network(data: bytes, outputs: Sequence[int], what: str) -> Network:
    """A network with those of its outputs that are read.

    Args:
        data: a TensorFlow Lite file.
        outputs: places among the file's outputs.
        what: the file's name, for errors.

    Raises:
        InputError: the file is damaged, or no network that we know.
    """
    graph = _Graph(data, what)
    if len(graph.inputs) != 1:
        raise graph.error("one input", f"{len(graph.inputs)} inputs")
    if not all(0 <= i < len(graph.outputs) for i in outputs):
        raise graph.error(f"{max(outputs) + 1} outputs or more", f"{len(graph.outputs)}")
    wanted = tuple(graph.outputs[i] for i in outputs)
    kept = needed(graph.operators, wanted)
    operators, constants = [], graph.constants({i for o in kept for i in o.inputs})
    known = {graph.inputs[0], -1, *constants}
    for operator in kept:
        graph.check(operator)
        if not known.issuperset(operator.inputs):
            raise graph.error("operators in order", f"a {operator.name} of what is not there yet")
        known.update(operator.outputs)
        source = operator.inputs[0] if operator.inputs else -1
        if operator.name in ("DEQUANTIZE", "DENSIFY") and source in constants:
            expected, found = graph.shapes[operator.outputs[0]], constants[source].shape
            if found != expected:
                raise graph.error(f"{operator.name} to shape {expected}", f"values of {found}")
            constants[operator.outputs[0]] = constants[source]
        else:
            operators.append(operator)
    if not known.issuperset(wanted):
        raise graph.error("outputs that are computed", "one that is not")
    used = {i for operator in operators for i in operator.inputs}
    return Network(
        tuple(operators),
        graph.inputs[0],
        wanted,
        graph.shapes,
        {
            i: value.astype(np.float32) if value.dtype == np.float16 else value
            for i, value in constants.items()
            if i in used
        },
    )


class _Graph:
    """The one graph of a file, with every number in it checked to be one of a tensor."""

    def __init__(self, data: bytes, what: str):
        self.what = what
        self._model = unpack(data, what)
        graphs = self._model.subgraphs or []
        if len(graphs) != 1:
            raise self.error("a network of one graph", f"{len(graphs)} graphs", Strange)
        (self._graph,) = graphs
        self._tensors = self._graph.tensors or []
        self.shapes = {i: self._shape(tensor) for i, tensor in enumerate(self._tensors)}
        self.inputs = self._numbers(self._graph.inputs)
        self.outputs = self._numbers(self._graph.outputs)
        self.operators = [self._operator(o) for o in self._list(self._graph.operators)]

    def error(self, expected: str, found: str, kind: type[InputError] = InputError) -> InputError:
        return kind(
            f"{self.what}: expected {expected}, found {found}; this version reads networks like "
            "those of mediapipe 0.10.21"
        )

    def ends(self, numbers: Iterable[int]) -> tuple[End, ...]:
        return tuple(
            End(
                (self._tensors[i].name or b"").decode(errors="replace"),
                self.shapes[i],
                _TYPES.get(self._tensors[i].type) is np.float32,
            )
            for i in numbers
        )

    def constants(self, numbers: Set[int]) -> dict[int, np.ndarray]:
        """Values of those of these tensors that have any in the file, as they are there."""
        buffers = self._list(self._model.buffers)
        found, total = {}, 0
        for i, tensor in enumerate(self._tensors):
            if not 0 <= tensor.buffer < len(buffers):
                raise self.error("values for every tensor", f"tensor {i} without")
            data = buffers[tensor.buffer].data
            if data is None or not len(data) or i not in numbers:
                continue
            if tensor.type not in _TYPES:
                raise self.error("constants in float32, float16 or integers", f"type {tensor.type}")
            total += math.prod(self.shapes[i])  # several may be written out from one buffer
            if total > _MOST_CONSTANTS:
                raise self.error(f"up to {_MOST_CONSTANTS} values of all tensors", "more")
            raw = np.asarray(data, np.uint8)
            try:
                values = np.frombuffer(raw, np.dtype(_TYPES[tensor.type]).newbyteorder("<"))
                found[i] = (
                    values.reshape(self.shapes[i])
                    if tensor.sparsity is None
                    else densified(values, tensor.sparsity, self.shapes[i])
                )
            except (ValueError, IndexError, TypeError, AttributeError) as error:
                raise self.error(f"{self.shapes[i]} values of tensor {i}", str(error)) from error
        return found

    def _shape(self, tensor: Any) -> tuple[int, ...]:
        shape = tuple(int(n) for n in self._list(tensor.shape))
        if any(n < 1 for n in shape) or math.prod(shape) > _MOST_VALUES:
            expected = f"tensors of up to {_MOST_VALUES} values"
            raise self.error(expected, f"one of shape {shape}", Strange)
        return shape

    def _operator(self, operator: Any) -> Operator:
        codes = self._list(self._model.operatorCodes)
        if not 0 <= operator.opcodeIndex < len(codes):
            raise self.error("an operator's name", f"{operator.opcodeIndex}")
        code = codes[operator.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        inputs, outputs = self._numbers(operator.inputs, -1), self._numbers(operator.outputs)
        options = vars(operator.builtinOptions) if operator.builtinOptions else {}
        return Operator(operator_names().get(number, str(number)), inputs, outputs, options)

    def check(self, operator: Operator) -> None:
        """Native libraries take it for granted that these are there, and fall over where not."""
        name, inputs, options = operator.name, operator.inputs, operator.options
        if name not in _INPUTS:
            raise self.error(f"operators among {', '.join(_INPUTS)}", name)
        least, most = _INPUTS[name]
        given = inputs[:-1] if name in _WITH_BIAS and len(inputs) == most else inputs
        if not least <= len(inputs) <= most or -1 in given or len(operator.outputs) != 1:
            ends = f"{inputs} → {operator.outputs}"
            raise self.error(f"{name} with all that it reads and makes", ends)
        for option in _OPTIONS.get(name, ()):
            if option not in options:
                raise self.error(f"{name} with {option}", "one without")
            if option in _AT_LEAST_1 and options[option] < 1:
                raise self.error(f"{name} with {option} of at least 1", f"{options[option]}")

    def _numbers(self, numbers: Any, least: int = 0) -> tuple[int, ...]:
        found = tuple(int(i) for i in self._list(numbers))
        if not all(least <= i < len(self._tensors) for i in found):
            raise self.error(f"numbers of {len(self._tensors)} tensors", f"{found}")
        return found

    @staticmethod
    def _list(values: Any) -> Any:
        return [] if values is None else values
