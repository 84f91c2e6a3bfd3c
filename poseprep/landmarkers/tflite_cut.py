"""Take an output, and all that only it needs, out of a TensorFlow Lite network.

MediaPipe's pose network also draws a mask of the person, a quarter of its time, which
nobody reads here. What remains is the same operators on the same weights, in the same order:
the other outputs keep every bit.

A network is a FlatBuffer (https://flatbuffers.dev/internals): tables and vectors that point to
each other by offsets. A shorter list of operators fits where the longer one stood, so the file
is edited in place, with no need for a schema compiler. Field numbers are those of
tensorflow/lite/schema/schema.fbs.
"""

import struct

_MODEL_SUBGRAPHS, _SUBGRAPH_OUTPUTS, _SUBGRAPH_OPERATORS = 2, 2, 3
_OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 1, 2


def without_output(model: bytes, output: int, stand_in: int) -> bytes:
    """The network without the operators that only one of its outputs needs.

    Args:
        model: a TensorFlow Lite file of one subgraph.
        output: which of its outputs to take out.
        stand_in: another output, given in its place, so that the others keep their numbers.

    Raises:
        ValueError: the file is no such network.
    """
    if model[4:8] != b"TFL3":
        raise ValueError(f"expected a TensorFlow Lite file (TFL3), found {model[4:8]!r}")
    data = bytearray(model)
    (graph,) = _tables(data, _uint(data, 0), _MODEL_SUBGRAPHS)
    outputs = _ints(data, graph, _SUBGRAPH_OUTPUTS)
    operators = _tables(data, graph, _SUBGRAPH_OPERATORS)

    needed = {tensor for i, tensor in enumerate(outputs) if i != output}
    kept = []
    for operator in reversed(operators):
        if needed.intersection(_ints(data, operator, _OPERATOR_OUTPUTS)):
            needed.update(_ints(data, operator, _OPERATOR_INPUTS))
            kept.append(operator)
    kept.reverse()

    first, _ = _vector(data, graph, _SUBGRAPH_OPERATORS)
    struct.pack_into("<I", data, first - 4, len(kept))
    for i, operator in enumerate(kept):
        struct.pack_into("<I", data, first + 4 * i, operator - (first + 4 * i))
    first, _ = _vector(data, graph, _SUBGRAPH_OUTPUTS)
    struct.pack_into("<i", data, first + 4 * output, outputs[stand_in])
    return bytes(data)


def _uint(data: bytearray, at: int) -> int:
    return struct.unpack_from("<I", data, at)[0]


def _vector(data: bytearray, table: int, field: int) -> tuple[int, int]:
    """Where a table's vector begins, and its length; (0, 0) where the table has none."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    entry = 4 + 2 * field
    if entry >= struct.unpack_from("<H", data, vtable)[0]:
        return 0, 0
    offset = struct.unpack_from("<H", data, vtable + entry)[0]
    if offset == 0:
        return 0, 0
    vector = table + offset + _uint(data, table + offset)
    return vector + 4, _uint(data, vector)


def _ints(data: bytearray, table: int, field: int) -> tuple[int, ...]:
    first, length = _vector(data, table, field)
    return struct.unpack_from(f"<{length}i", data, first)


def _tables(data: bytearray, table: int, field: int) -> list[int]:
    first, length = _vector(data, table, field)
    places = range(first, first + 4 * length, 4)
    return [place + _uint(data, place) for place in places]
