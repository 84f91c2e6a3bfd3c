"""TensorFlow Lite files as objects and back, by the schema that MediaPipe's wheel carries.

`import mediapipe` also brings JAX and matplotlib; the schema is one file, loaded by itself.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
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
_LONGEST_NAME = 1_000
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
    _limit(_MOST, model.OperatorCodesLength(), model.BuffersLength(), model.MetadataLength())
    _limit(_MOST_WITHIN, model.SubgraphsLength(), model.SignatureDefsLength())
    for signature in map(model.SignatureDefs, range(model.SignatureDefsLength())):
        _limit(_MOST_WITHIN, signature.InputsLength(), signature.OutputsLength())
    graphs = [model.Subgraphs(i) for i in range(model.SubgraphsLength())]
    # Together: several graphs may be one, named again.
    _limit(_MOST, sum(graph.TensorsLength() + graph.OperatorsLength() for graph in graphs))
    for graph in graphs:
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            _limit(_MOST_WITHIN, tensor.ShapeLength(), tensor.ShapeSignatureLength())
            _limit(_MOST_WITHIN, tensor.VariantTensorsLength())
            if sparsity := tensor.Sparsity():
                _limit(_MOST_WITHIN, sparsity.DimMetadataLength())
        for operator in map(graph.Operators, range(graph.OperatorsLength())):
            _limit(_MOST_WITHIN, operator.InputsLength(), operator.OutputsLength())
    # Last: now they are not too many.
    for name in filter(None, _names(model, graphs)):
        if len(name) > _LONGEST_NAME:
            raise ValueError(f"a name of {len(name)} bytes")
        name.decode()  # LiteRT's Python takes it for granted that this can be done


def _names(model: Any, graphs: Sequence[Any]) -> Iterator[bytes | None]:
    """All texts in a file, one at a time: each is copied."""
    yield model.Description()
    yield from (model.OperatorCodes(i).CustomCode() for i in range(model.OperatorCodesLength()))
    yield from (model.Metadata(i).Name() for i in range(model.MetadataLength()))
    for signature in map(model.SignatureDefs, range(model.SignatureDefsLength())):
        yield signature.SignatureKey()
        yield from (signature.Inputs(i).Name() for i in range(signature.InputsLength()))
        yield from (signature.Outputs(i).Name() for i in range(signature.OutputsLength()))
    for graph in graphs:
        yield graph.Name()
        yield from (graph.Tensors(i).Name() for i in range(graph.TensorsLength()))


def _limit(most: int, *counts: int) -> None:
    if max(counts) > most:
        raise ValueError(f"a list of {max(counts)} entries")


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
