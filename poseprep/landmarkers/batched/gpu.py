"""What a measurement asks of a GPU itself: only here may torch be used for it."""

from __future__ import annotations

from collections.abc import Callable


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
