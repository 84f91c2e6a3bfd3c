"""Networks as LiteRT gets them: without what nobody reads, and with MediaPipe's arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from poseprep.landmarkers.batched.flatbuffer import needed, operator_names, pack, schema, unpack


def for_litert(data: bytes, outputs: Sequence[int], what: str) -> bytes:
    """The network for LiteRT: the operators that some outputs need, on the same weights.

    A depthwise convolution with a kernel of one cell becomes a multiplication and an addition.
    Newer LiteRT runs such a layer with fused multiply-add, the one in MediaPipe 0.10.21
    rounds twice; spelled out, every version rounds twice.

    Args:
        outputs: which of the file's outputs are read; the network returned has these alone, in
            this order.
        what: the file's name, for errors.

    Raises:
        InputError: see `unpack`.
    """
    model = unpack(data, what)
    (graph,) = model.subgraphs
    graph.outputs = [int(graph.outputs[i]) for i in outputs]
    graph.operators = needed(graph.operators, graph.outputs)
    graph.operators = [part for whole in graph.operators for part in _spelled_out(model, whole)]
    model.metadata = model.metadataBuffer = model.signatureDefs = None  # they name what is gone
    return pack(model)


def _spelled_out(model: Any, operator: Any) -> list[Any]:
    """A depthwise convolution of one cell as a product and a sum; any other operator as it is."""
    classes, (graph,) = schema(), model.subgraphs
    code = model.operatorCodes[operator.opcodeIndex]
    options = operator.builtinOptions
    if (
        operator_names()[max(code.builtinCode, code.deprecatedBuiltinCode)] != "DEPTHWISE_CONV_2D"
        or list(graph.tensors[operator.inputs[1]].shape[1:3]) != [1, 1]
        or (options.strideH, options.strideW, options.depthMultiplier) != (1, 1, 1)
    ):
        return [operator]
    image, weight, bias = map(int, operator.inputs)
    (result,) = map(int, operator.outputs)
    product = copy(graph.tensors[result])
    product.name, product.buffer = product.name + b"_product", 0
    graph.tensors.append(product)

    def step(name: str, inputs: list[int], output: int, activation: int) -> Any:
        made = classes.OperatorT()
        made.opcodeIndex = _code(model, name)
        made.inputs, made.outputs = inputs, [output]
        made.builtinOptionsType = getattr(classes.BuiltinOptions, f"{name.capitalize()}Options")
        made.builtinOptions = getattr(classes, f"{name.capitalize()}OptionsT")()
        made.builtinOptions.fusedActivationFunction = activation
        return made

    none = classes.ActivationFunctionType.NONE
    return [
        step("MUL", [image, weight], len(graph.tensors) - 1, none),
        step("ADD", [len(graph.tensors) - 1, bias], result, options.fusedActivationFunction),
    ]


def _code(model: Any, name: str) -> int:
    """The place of an operator's code in a model, where it is put if it is not there yet."""
    number = getattr(schema().BuiltinOperator, name)
    for i, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == number:
            return i
    code = schema().OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = number
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
