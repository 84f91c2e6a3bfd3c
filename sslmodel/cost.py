"""What an encoder costs: weights, and operations a clip."""

import copy

import torch
from torch.utils.flop_counter import FlopCounterMode

from sslmodel.encoder import Encoder


def parameters(encoder: Encoder) -> int:
    """How many numbers are learned."""
    return sum(weight.numel() for weight in encoder.parameters())


def gflops_a_clip(encoder: Encoder, frames: int) -> float:
    """10⁹ multiplications and additions to embed one clip; products only, as is usual."""
    size = (1, frames, len(encoder.skeleton))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        copy.deepcopy(encoder).cpu()(torch.zeros(*size, 2), torch.ones(size))
    return counter.get_total_flops() / 1e9


def encoder_summary(encoder: Encoder, frames: int) -> str:
    """One line for a person."""
    return (
        f"encoder: {len(encoder.skeleton)} points × {frames} frames → {encoder.config.features} "
        f"features, {parameters(encoder):,} parameters, {gflops_a_clip(encoder, frames):.3f} "
        "GFLOPs a clip"
    )
