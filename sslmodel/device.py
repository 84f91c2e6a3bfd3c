"""Which devices a command computes on, and how several processes share a batch."""

import atexit
import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import Tensor

from poseprep.errors import InputError

T = TypeVar("T")

IMITATED_BF16 = (
    "warning: PyTorch imitates bf16 on this CPU; --precision 32 is several times faster here"
)


def fabric_on(accelerator: str) -> Fabric:
    """Fabric on one device: `gpu`, `cpu`, or with `auto` the GPU where there is one.

    Raises:
        InputError: there is no such device here.
    """
    return _fabric(accelerator, devices=1)


def training_fabric(accelerator: str, devices: int, nodes: int, precision: str) -> Fabric:
    """Fabric on so many devices of so many machines, one process a device; not launched yet.

    Args:
        precision: "32", "bf16", or "auto": bf16 on a GPU that has it.

    Raises:
        InputError: there are no such devices here, or nobody started the other processes.
    """
    _check_started(devices, nodes)
    precision = resolved_precision(accelerator, precision)
    strategy = "ddp" if devices * nodes > 1 else "auto"
    if strategy == "ddp":
        atexit.register(_part_company)
    return _fabric(
        accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy=strategy,
        precision={"32": "32-true", "bf16": "bf16-mixed"}[precision],
    )


def resolved_precision(accelerator: str, precision: str) -> str:
    """ "32" or "bf16": what "auto" comes to on this machine."""
    if precision != "auto":
        return precision
    return "bf16" if on_gpu(accelerator) and torch.cuda.is_bf16_supported() else "32"


def on_gpu(accelerator: str) -> bool:
    """Whether `gpu`, `cpu` or `auto` comes to a GPU on this machine."""
    return accelerator != "cpu" and torch.cuda.is_available()


def imitates_bf16(device: torch.device) -> bool:
    """Whether PyTorch has no kernels for bf16 here, as on a CPU without AVX-512.

    What it does instead takes five times as long as float32.
    """
    if device.type != "cpu":
        return False
    kernels = torch.backends.mkldnn.is_available()
    return not (kernels and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _check_started(devices: int, nodes: int) -> None:
    """Raise InputError where the processes that were started are not those that were asked for.

    Each would take itself for the only one, or wait for others for ever.
    """
    torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    started = int(os.environ["WORLD_SIZE"]) if torchrun else devices * nodes
    if started != devices * nodes:
        raise InputError(
            f"torchrun started {started} processes, found --devices {devices} × --nodes {nodes}; "
            "give --devices as many as it starts on a machine, and --nodes as many machines"
        )
    if nodes > 1 and not torchrun and not {"SLURM_NTASKS", "MASTER_ADDR"} & os.environ.keys():
        raise InputError(
            f"--nodes {nodes}: nobody starts the other machines; run the same command with "
            "torchrun on each of them, or with srun (docs/cluster.md)"
        )


def _fabric(accelerator: str, devices: int, **how: object) -> Fabric:
    try:
        return Fabric(accelerator=accelerator, devices=devices, **how)  # type: ignore[arg-type]
    except (RuntimeError, ValueError, ImportError) as error:
        raise InputError(
            f"--accelerator: {devices} × {accelerator} is not to be had here ({error}); use cpu "
            "or auto, and fewer --devices"
        ) from error


def in_all(fabric: Fabric, act: Callable[[], T]) -> T:
    """What the first process comes to, in all of them; so is its InputError.

    What only one of them does, such as writing, must not leave the others waiting for it.
    """
    if fabric.world_size == 1:
        return act()
    done: list[Any] = [None, ""]
    if fabric.is_global_zero:
        try:
            done[0] = act()
        except InputError as error:
            done[1] = str(error)
    result, why = fabric.broadcast(done)
    if why:
        raise InputError(why)
    return result


def _part_company() -> None:
    """End the processes' connection before the interpreter ends.

    Left to what comes after, about one program in ten aborts (gloo, torch 2.13).
    """
    if dist.is_initialized():
        dist.destroy_process_group()


class _Gathered(torch.autograd.Function):
    """Every process's rows, end to end."""

    @staticmethod
    def forward(ctx: object, own: Tensor, sizes: tuple[int, ...]) -> Tensor:
        ctx.sizes, longest = sizes, max(sizes)  # type: ignore[attr-defined]
        padded = own.new_zeros(longest, *own.shape[1:])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> tuple[Tensor, None]:
        # Every process computes the same loss of the whole batch. What is averaged over the
        # processes afterwards has to be their sum: hence the factor.
        own = gradients[0].split(ctx.sizes)[dist.get_rank()]  # type: ignore[attr-defined]
        return own * len(ctx.sizes), None  # type: ignore[attr-defined]


def gather(own: Float[Tensor, "b D"], sizes: tuple[int, ...]) -> Float[Tensor, "B D"]:
    """The rows of all processes, so that a loss sees the whole batch; gradients flow to the own.

    Args:
        sizes: how many rows each process has.
    """
    return own if len(sizes) == 1 else _Gathered.apply(own, sizes)
