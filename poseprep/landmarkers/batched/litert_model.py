"""Networks as LiteRT gets them: without what nobody reads, and with MediaPipe's arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from poseprep.landmarkers.flatbuffer import needed, operator_names, pack, schema, unpack


def for_litert(data: bytes, outputs: Sequence[int], what: str) -> bytes:
    """The network for LiteRT: the operators that some outputs need, on the same weights.

    A depthwise convolution with a kernel of one cell becomes two, of which one multiplies and the
    other adds. Newer LiteRT runs such a layer with fused multiply-add, the one in MediaPipe 0.10.21
    rounds twice; apart, every version rounds twice. (As MUL and ADD the re-crop of a hand takes a
    fifth longer.)

    Args:
        outputs: which of the file's outputs are read; the network returned has these alone, in
            this order.
        what: the file's name, for errors.

    Raises:
        InputError: see `unpack`. Whether the network hangs together `read_network` says.
    """
    model = unpack(data, what)
    (graph,) = model.subgraphs
    graph.outputs = [int(graph.outputs[i]) for i in outputs]
    graph.operators = needed(graph.operators, graph.outputs)
    graph.operators = [part for whole in graph.operators for part in _rounded_twice(model, whole)]
    model.metadata = model.metadataBuffer = model.signatureDefs = None  # they name what is gone
    read = {int(i) for operator in graph.operators for i in operator.inputs if i >= 0}
    held = {graph.tensors[i].buffer for i in read}
    for number, buffer in enumerate(model.buffers):
        if number not in held:
            buffer.data = None
    return pack(model)


def _rounded_twice(model: Any, operator: Any) -> list[Any]:
    """A depthwise convolution of one cell as x · w + 0, then x · 1 + b; others as they are."""
    (graph,) = model.subgraphs
    code = model.operatorCodes[operator.opcodeIndex]
    options = operator.builtinOptions
    if (
        operator_names().get(max(code.builtinCode, code.deprecatedBuiltinCode))
        != "DEPTHWISE_CONV_2D"
        or list(graph.tensors[operator.inputs[1]].shape[1:3]) != [1, 1]
        or (options.strideH, options.strideW, options.depthMultiplier) != (1, 1, 1)
        or len(operator.inputs) != 3
        or -1 in operator.inputs
    ):
        return [operator]
    image, weight, bias = map(int, operator.inputs)
    (result,) = map(int, operator.outputs)
    product = _add_tensor(graph, result, b"_product", buffer=0)
    times, plus = copy(operator), copy(operator)
    times.inputs = [image, weight, _add_constant(model, bias, b"_zero", 0.0)]
    times.outputs = [product]
    times.builtinOptions = copy(options)
    times.builtinOptions.fusedActivationFunction = schema().ActivationFunctionType.NONE
    plus.inputs = [product, _add_constant(model, weight, b"_one", 1.0), bias]
    return [times, plus]


def _add_constant(model: Any, like: int, name: bytes, value: float) -> int:
    """Add a tensor of float32, as large as another and of one value; its number."""
    (graph,) = model.subgraphs
    held = schema().BufferT()
    held.data = np.full(graph.tensors[like].shape, value, np.float32).ravel().view(np.uint8)
    model.buffers.append(held)
    number = _add_tensor(graph, like, name, buffer=len(model.buffers) - 1)
    graph.tensors[number].type = schema().TensorType.FLOAT32
    return number


def _add_tensor(graph: Any, like: int, name: bytes, buffer: int) -> int:
    """Add a tensor that is as another but for its name and what it holds; its number."""
    made = copy(graph.tensors[like])
    made.name, made.buffer = (made.name or b"") + name, buffer
    graph.tensors.append(made)
    return len(graph.tensors) - 1
