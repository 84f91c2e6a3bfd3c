"""A TensorFlow Lite network in torch: any batch, any device, single or half precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseprep.errors import InputError
from poseprep.landmarkers.batched.network import Network, Operator
from poseprep.landmarkers.batched.torch_operators import OPERATORS, constant

# Operators that hand numbers on; what is before them makes the numbers.
_HANDING_ON = ("CONCATENATION", "LOGISTIC", "RESHAPE", "STRIDED_SLICE")
_MAKING = ("CONV_2D", "FULLY_CONNECTED")


class _Step(NamedTuple):
    """An operator, ready to run.

    Attributes:
        inputs: tensors' numbers.
        done: tensors that no later step needs.
        dtype: in which it runs.
    """

    run: Callable[..., Tensor]
    inputs: tuple[int, ...]
    output: int
    done: tuple[int, ...]
    dtype: torch.dtype


class TorchNetwork(nn.Module):
    """Runs a network on a batch.

    The last layers, those that make the outputs, run in single precision whatever the rest does:
    a coordinate of up to 256 in float16 is rounded to an eighth, in bfloat16 to a whole pixel.
    Shapes depend on the batch alone and nothing on the data, as CUDA graphs need it.

    Args:
        dtype: torch.float32, float16 or bfloat16.

    Raises:
        InputError: the network has an operator that is not known here.
    """

    def __init__(self, network: Network, dtype: torch.dtype = torch.float32):
        super().__init__()
        exact = _outermost(network)
        self._input, self._outputs = network.input, network.outputs
        self._images = [len(network.shapes[i]) == 4 for i in network.outputs]
        self._dtype = dtype
        self._steps = []
        last = {i: at for at, o in enumerate(network.operators) for i in o.inputs}
        for at, operator in enumerate(network.operators):
            if operator.name not in OPERATORS:
                raise InputError(
                    f"expected {operator.name} of what stands in the file alone, found one of what "
                    "is computed; give another bundle or none"
                )
            run = OPERATORS[operator.name](operator, network)
            here = torch.float32 if operator in exact else dtype
            for i in operator.inputs:
                if i in network.constants:
                    self._keep(i, operator, network, here)
            done = {i for i in operator.inputs if last[i] == at} - set(network.outputs)
            self._steps.append(
                _Step(
                    run,
                    tuple(i for i in operator.inputs if i >= 0),
                    operator.outputs[0],
                    tuple(i for i in done if i >= 0 and i not in network.constants),
                    here,
                )
            )

    def _keep(self, number: int, operator: Operator, network: Network, dtype: torch.dtype) -> None:
        """A constant as its operator wants it; one that two operators read has one form."""
        value = constant(number, operator, network)
        if value is not None:
            self.register_buffer(_name(number, dtype), value.to(dtype))

    def forward(self, crops: Float[Tensor, "N H W 3"]) -> list[Float[Tensor, "N ..."]]:
        """The outputs, float32, with the channels last as in the file."""
        constants = dict(self.named_buffers())
        values = {self._input: crops.to(self._dtype).permute(0, 3, 1, 2)}
        for step in self._steps:
            inputs = []
            for i in step.inputs:
                if i in values:
                    inputs.append(values[i].to(step.dtype))
                elif (name := _name(i, step.dtype)) in constants:
                    inputs.append(constants[name])
            values[step.output] = step.run(*inputs)
            for i in step.done:
                del values[i]
        found = [values[i].float() for i in self._outputs]
        return [
            x.permute(0, 2, 3, 1) if image else x
            for x, image in zip(found, self._images, strict=True)
        ]


def _name(number: int, dtype: torch.dtype) -> str:
    return f"constant_{number}_{str(dtype).removeprefix('torch.')}"


def _outermost(network: Network) -> list[Operator]:
    """The last operators before the outputs that make numbers, and those that hand them on."""
    tensors, found = set(network.outputs), []
    for operator in reversed(network.operators):
        if not tensors.intersection(operator.outputs):
            continue
        if operator.name in _HANDING_ON:
            tensors.update(operator.inputs)
            found.append(operator)
        elif operator.name in _MAKING:
            found.append(operator)
    return found
