"""TensorFlow Lite files as objects and back, by the schema that MediaPipe's wheel carries.

`import mediapipe` also brings JAX and matplotlib; the schema is one file, loaded by itself.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

import flatbuffers

from poseprep.errors import InputError
from poseprep.landmarkers.mediapipe_graph import wheel

_IDENTIFIER = b"TFL3"
_SCHEMA = "tasks/metadata/schema_py_generated.py"
# Of tensors, operators and such: a file may name one object over and over, and be larger read than
# it is. In the wheel a network has 535 tensors at most.
_MOST = 5_000
_MOST_WITHIN = 100  # of what stands within those, and of graphs
# What the reader raises where offsets and lengths point nowhere.
_DAMAGE = (
    AssertionError,
    AttributeError,
    IndexError,
    MemoryError,
    OverflowError,
    TypeError,
    ValueError,
    struct.error,
)


@cache
def schema() -> ModuleType:
    """The classes of TensorFlow Lite's schema (tensorflow/lite/schema/schema.fbs)."""
    name = f"{__name__}_schema"
    spec = spec_from_file_location(name, wheel() / _SCHEMA)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"{wheel()}: no {_SCHEMA}; reinstall mediapipe 0.10.21")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@cache
def operator_names() -> dict[int, str]:
    """Operators' names by their numbers."""
    return {n: name for name, n in vars(schema().BuiltinOperator).items() if isinstance(n, int)}


def unpack(data: bytes, what: str) -> Any:
    """A file as a `ModelT`, the schema's plain object.

    Args:
        what: the file's name, for the error.

    Raises:
        InputError: the file is none of TensorFlow Lite's, or is damaged.
    """
    if data[4:8] != _IDENTIFIER:
        raise InputError(
            f"{what}: expected a TensorFlow Lite network, found a file that is none; "
            "give a .task bundle of MediaPipe's"
        )
    model = schema().Model
    try:
        root = model.GetRootAsModel(data, 0)
        _check_size(root)
        return schema().ModelT.InitFromObj(root)
    except _DAMAGE as error:
        raise InputError(
            f"{what}: expected a TensorFlow Lite network, found a damaged one ({error}); "
            "download it again"
        ) from error


def _check_size(model: Any) -> None:
    """Raise ValueError where there is more to read than any network of this kind has."""
    counts = [model.OperatorCodesLength(), model.BuffersLength(), model.MetadataLength()]
    signatures, graphs = model.SignatureDefsLength(), model.SubgraphsLength()
    few = [signatures, graphs]
    if max(few) <= _MOST_WITHIN:
        for graph in (model.Subgraphs(i) for i in range(graphs)):
            tensors = graph.TensorsLength()
            counts += [tensors, graph.OperatorsLength()]
            for tensor in (graph.Tensors(i) for i in range(min(tensors, _MOST))):
                few += [tensor.ShapeLength(), tensor.ShapeSignatureLength()]
                few += [tensor.VariantTensorsLength()]
                few += [
                    sparsity.DimMetadataLength() for sparsity in [tensor.Sparsity()] if sparsity
                ]
            for i in range(min(graph.OperatorsLength(), _MOST)):
                few += [graph.Operators(i).InputsLength(), graph.Operators(i).OutputsLength()]
        for signature in (model.SignatureDefs(i) for i in range(signatures)):
            few += [signature.InputsLength(), signature.OutputsLength()]
    if max(counts) > _MOST or max(few) > _MOST_WITHIN:
        raise ValueError(f"lists of {max(counts)} and {max(few)} entries")


def pack(model: Any) -> bytes:
    """A `ModelT` as a file."""
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def needed(operators: Sequence[Any], outputs: Iterable[int]) -> list[Any]:
    """The operators, in order, without those that these outputs do not need."""
    tensors, kept = set(outputs), []
    for operator in reversed(operators):
        if tensors.intersection(map(int, operator.outputs)):
            tensors.update(map(int, operator.inputs))
            kept.append(operator)
    return kept[::-1]
