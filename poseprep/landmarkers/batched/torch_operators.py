"""TensorFlow Lite's operators in torch.

Images stand as (N, C, H, W), in memory with the channels last; all else as in the file. Each
function takes an operator and its network and gives what runs it on the inputs that are not
numbers fixed in the file; whatever shapes need is worked out once, here. Source:
https://www.tensorflow.org/mlir/tfl_ops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from poseprep.errors import InputError
from poseprep.landmarkers.batched.network import Network, Operator

Run = Callable[..., Tensor]
# Where the file's axes stand in an image here.
_AXES = {0: 0, 1: 2, 2: 3, 3: 1}
_CHANNELS_FIRST = (0, 3, 1, 2)
_SAME = 0  # schema.fbs, Padding
_ACTIVATIONS: dict[int, Callable[[Tensor], Tensor]] = {
    0: lambda x: x,
    1: F.relu,
    3: F.relu6,
}


def constant(number: int, operator: Operator, network: Network) -> Tensor | None:
    """A constant as its operator takes it; None where it is settled before anything runs."""
    value = network.constants[number]
    if value.dtype != np.float32:
        return None
    tensor = torch.from_numpy(value.copy())
    if operator.name == "CONV_2D" and value.ndim == 4:
        return tensor.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    if operator.name == "DEPTHWISE_CONV_2D" and value.ndim == 4:
        return tensor.permute(3, 0, 1, 2).contiguous()
    if operator.name == "PRELU":
        return tensor.flatten()
    if operator.name in ("ADD", "MUL") and len(network.shapes[operator.outputs[0]]) == 4:
        return tensor.reshape((1,) * (4 - value.ndim) + value.shape).permute(_CHANNELS_FIRST)
    return tensor


def _convolution(operator: Operator, network: Network) -> Run:
    options, activation = operator.options, _activation(operator)
    image, kernel = (network.shapes[i] for i in operator.inputs[:2])
    stride = (options["strideH"], options["strideW"])
    dilation = (options["dilationHFactor"], options["dilationWFactor"])
    depthwise = operator.name == "DEPTHWISE_CONV_2D"
    groups = image[3] if depthwise else image[3] // kernel[3]
    rows, columns = _padding(operator, image[1:3], kernel[1:3], stride, dilation)
    # An even margin costs nothing inside the convolution; an uneven one is a copy of the image.
    even = rows[0] == rows[1] and columns[0] == columns[1]
    inside = (rows[0], columns[0]) if even else (0, 0)

    def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        x = x if even else F.pad(x, (*columns, *rows))
        return activation(F.conv2d(x, weight, bias, stride, inside, dilation, groups))

    return run


def _max_pool(operator: Operator, network: Network) -> Run:
    options, activation = operator.options, _activation(operator)
    kernel = (options["filterHeight"], options["filterWidth"])
    stride = (options["strideH"], options["strideW"])
    image = network.shapes[operator.inputs[0]]
    rows, columns = _padding(operator, image[1:3], kernel, stride, (1, 1))

    def run(x: Tensor) -> Tensor:
        if any(rows) or any(columns):
            x = F.pad(x, (*columns, *rows), value=-torch.inf)
        return activation(F.max_pool2d(x, kernel, stride))

    return run


def _add(operator: Operator, network: Network) -> Run:
    activation = _activation(operator)
    return lambda x, y: activation(x + y)


def _multiply(operator: Operator, network: Network) -> Run:
    activation = _activation(operator)
    return lambda x, y: activation(x * y)


def _prelu(operator: Operator, network: Network) -> Run:
    channels = network.shapes[operator.inputs[0]][-1]
    if np.prod(network.shapes[operator.inputs[1]]) != channels:
        raise _unknown(operator, "a slope other than one for each channel")
    return F.prelu


def _pad(operator: Operator, network: Network) -> Run:
    margins = _fixed(operator, network, 1).tolist()
    if len(margins) == 4:
        margins = [margins[axis] for axis in _CHANNELS_FIRST]
    # Torch counts from the last axis.
    flat = [n for margin in reversed(margins) for n in margin]
    return lambda x: F.pad(x, flat)


def _resize(operator: Operator, network: Network) -> Run:
    if not operator.options["halfPixelCenters"] or operator.options["alignCorners"]:
        raise _unknown(operator, "pixels counted by their corners")
    size = _fixed(operator, network, 1).tolist()
    return lambda x: F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _mean(operator: Operator, network: Network) -> Run:
    if sorted(_fixed(operator, network, 1).ravel().tolist()) != [1, 2]:
        raise _unknown(operator, "a mean over other than rows and columns")
    keep = bool(operator.options["keepDims"])
    return lambda x: x.mean(dim=(2, 3), keepdim=keep)


def _fully_connected(operator: Operator, network: Network) -> Run:
    activation = _activation(operator)
    if len(network.shapes[operator.outputs[0]]) != 2:
        raise _unknown(operator, "outputs of more than one axis")
    as_in_file = _as_in_file(operator, network)

    def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return activation(F.linear(as_in_file(x).flatten(1), weight, bias))

    return run


def _reshape(operator: Operator, network: Network) -> Run:
    first, *rest = network.shapes[operator.outputs[0]]
    if first != 1:
        raise _unknown(operator, f"a first axis of {first}, not the batch")
    as_in_file, image = _as_in_file(operator, network), len(rest) == 3

    def run(x: Tensor) -> Tensor:
        x = as_in_file(x).reshape(x.shape[0], *rest)
        return x.permute(_CHANNELS_FIRST) if image else x

    return run


def _concatenation(operator: Operator, network: Network) -> Run:
    activation, rank = _activation(operator), len(network.shapes[operator.outputs[0]])
    axis = operator.options["axis"] % rank
    axis = _AXES[axis] if rank == 4 else axis
    return lambda *parts: activation(torch.cat(parts, axis))


def _depth_to_space(operator: Operator, network: Network) -> Run:
    size = operator.options["blockSize"]
    _, height, width, channels = network.shapes[operator.inputs[0]]
    if size < 1 or channels % size**2:
        raise _unknown(operator, f"blocks of {size} from {channels} channels")

    def run(x: Tensor) -> Tensor:
        # A cell's place in its block comes before the channel; in pixel_shuffle, after.
        blocks = x.reshape(-1, size, size, channels // size**2, height, width)
        return blocks.permute(0, 3, 4, 1, 5, 2).reshape(
            -1, channels // size**2, height * size, width * size
        )

    return run


def _slice(operator: Operator, network: Network) -> Run:
    begin, strides = (_fixed(operator, network, i).tolist() for i in (1, 3))
    masks = ("beginMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask")
    if set(strides) != {1} or any(operator.options[mask] for mask in masks):
        raise _unknown(operator, "other than a block of the input")
    shape = network.shapes[operator.outputs[0]]
    parts = [slice(None)] + [slice(b, b + n) for b, n in zip(begin[1:], shape[1:], strict=True)]
    where = tuple(parts[axis] for axis in _CHANNELS_FIRST) if len(parts) == 4 else tuple(parts)
    return lambda x: x[where]


OPERATORS: dict[str, Callable[[Operator, Network], Run]] = {
    "ADD": _add,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "DEPTH_TO_SPACE": _depth_to_space,
    "FULLY_CONNECTED": _fully_connected,
    "LOGISTIC": lambda operator, network: torch.sigmoid,
    "MAX_POOL_2D": _max_pool,
    "MEAN": _mean,
    "MUL": _multiply,
    "PAD": _pad,
    "PRELU": _prelu,
    "RELU": lambda operator, network: F.relu,
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize,
    "STRIDED_SLICE": _slice,
}


def _as_in_file(operator: Operator, network: Network) -> Callable[[Tensor], Tensor]:
    """What gives an operator's first input with its axes as the file has them."""
    if len(network.shapes[operator.inputs[0]]) == 4:
        return lambda x: x.permute(0, 2, 3, 1)
    return lambda x: x


def _padding(
    operator: Operator,
    image: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows before and after, columns before and after. An odd one more comes after."""
    if operator.options["padding"] != _SAME:
        return (0, 0), (0, 0)
    margins = []
    for n, k, s, d in zip(image, kernel, stride, dilation, strict=True):
        whole = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        margins.append((whole // 2, whole - whole // 2))
    return margins[0], margins[1]


def _activation(operator: Operator) -> Callable[[Tensor], Tensor]:
    number = operator.options.get("fusedActivationFunction", 0)
    if number not in _ACTIVATIONS:
        raise _unknown(operator, f"activation {number}")
    return _ACTIVATIONS[number]


def _fixed(operator: Operator, network: Network, i: int) -> np.ndarray:
    """An input whose numbers stand in the file."""
    if operator.inputs[i] not in network.constants:
        raise _unknown(operator, "sizes that depend on the data")
    return network.constants[operator.inputs[i]]


def _unknown(operator: Operator, found: str) -> InputError:
    return InputError(
        f"expected {operator.name} as in the networks of mediapipe 0.10.21, found {found}; "
        "give another bundle or none"
    )
