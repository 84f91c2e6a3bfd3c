"""What a measurement asks of a processor itself: only here may torch be used for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from poseprep.errors import InputError


def check_torch() -> None:
    """Raises InputError where there is no torch, which alone knows how fast a processor can be."""
    if find_spec("torch") is None:
        raise InputError("slr bench networks: expected torch, found none; pip install torch")


def wait(device: str) -> None:
    """Until a GPU has done all it was given: it is given work without waiting for it."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def product(side: int, device: str, precision: str) -> Callable[[], None]:
    """Multiplies two square matrices of this many rows, each time it is called."""
    import torch

    x = torch.rand((side, side), device=device, dtype=getattr(torch, precision))

    def multiply() -> None:
        x @ x
        wait(device)

    return multiply


def copying(size: int, device: str) -> Callable[[], None]:
    """Copies so many bytes from the CPU's memory to the device's, each time it is called."""
    import torch

    source = torch.zeros(size, dtype=torch.uint8, pin_memory=device == "cuda")
    target = torch.empty_like(source, device=device)

    def copy() -> None:
        target.copy_(source, non_blocking=True)
        wait(device)

    return copy


@contextmanager
def one_thread() -> Iterator[None]:
    """On a CPU products are made by one core, as they are in a network here."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
