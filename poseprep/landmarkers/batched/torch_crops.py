"""Crops cut on the device, many at once, with the bits of OpenCV's warpPerspective.

OpenCV works in whole numbers: a source place is rounded to 1/32 pixel, and the four pixels about
it are weighted in 1/1024. What is whole is alike on every device. Source:
opencv/modules/imgproc/src/imgwarp.cpp (WarpPerspectiveInvoker, remapBilinear).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from poseprep.landmarkers.batched.engine import Lens

# Parts of a pixel, as a power of two.
_PARTS = 5
_ONE = 1 << _PARTS
# OpenCV counts columns from the beginning of blocks of so many; sums are rounded accordingly.
_BLOCK = 64
_INT = (-(2.0**31), 2.0**31 - 1)


class Frames(NamedTuple):
    """Frames of any sizes, end to end on a device.

    Attributes:
        pixels: of all frames, row by row.
        first: where each frame begins.
        height, width: of each frame.
    """

    pixels: UInt8[Tensor, "P 3"]
    first: Int[Tensor, " F"]
    height: Int[Tensor, " F"]
    width: Int[Tensor, " F"]


def upload(frames: Sequence[UInt8[np.ndarray, "_ _ 3"]], device: torch.device) -> Frames:
    """Frames in one transfer; it does not wait for a GPU."""
    sizes = torch.tensor([frame.shape[:2] for frame in frames], dtype=torch.int64).reshape(-1, 2)
    ends = sizes.prod(dim=1).cumsum(0)
    total = int(ends[-1]) if len(frames) else 0
    on_gpu = device.type == "cuda"
    pixels = torch.empty((total, 3), dtype=torch.uint8, pin_memory=on_gpu)
    into = pixels.numpy()
    for frame, end in zip(frames, ends.tolist(), strict=True):
        into[end - frame.shape[0] * frame.shape[1] : end] = frame.reshape(-1, 3)
    first = ends - sizes.prod(dim=1)
    parts = (pixels, first, sizes[:, 0], sizes[:, 1])
    return Frames(*(part.to(device, non_blocking=on_gpu) for part in parts))


def joined(lots: Sequence[Frames]) -> Frames:
    """Several lots of frames as one, in order."""
    sizes = [len(frames.pixels) for frames in lots]
    firsts = [
        frames.first + start for frames, start in zip(lots, accumulate([0, *sizes]), strict=False)
    ]
    pixels, _, height, width = (torch.cat(parts) for parts in zip(*lots, strict=True))
    return Frames(pixels, torch.cat(firsts), height, width)


def cut(
    frames: Frames, which: Int[Tensor, " K"], to_frame: Float[Tensor, "K 3 3"], lens: Lens
) -> UInt8[Tensor, "K S S 3"]:
    """Places in frames as upright squares.

    Not to be compiled: fused multiply-add would round the places otherwise.

    Args:
        which: the frame that each place is in.
        to_frame: float64; see `crops.to_frame`.
    """
    x, y = _sources(to_frame, lens.size)  # (K, S, S), in parts of a pixel
    first, height, width = (
        values[which].reshape(-1, 1, 1) for values in (frames.first, frames.height, frames.width)
    )
    column, row = x >> _PARTS, y >> _PARTS
    right, below = x & (_ONE - 1), y & (_ONE - 1)
    total = torch.full((*x.shape, 3), 1 << (2 * _PARTS - 1), dtype=torch.int32, device=x.device)
    for down, rows in ((0, _ONE - below), (1, below)):
        for across, columns in ((0, _ONE - right), (1, right)):
            u, v = column + across, row + down
            weight = rows * columns
            if lens.black_border:
                weight = weight * ((u >= 0) & (u < width) & (v >= 0) & (v < height))
            u, v = u.clamp_min(0).minimum(width - 1), v.clamp_min(0).minimum(height - 1)
            pixels = frames.pixels[first + v * width + u]
            total += pixels * weight.to(torch.int32)[..., None]
    return (total >> (2 * _PARTS)).to(torch.uint8)


def _sources(to_frame: Float[Tensor, "K 3 3"], size: int) -> tuple[Tensor, Tensor]:
    """Where each cell of the crops comes from, in parts of a pixel: columns and rows."""
    cells = torch.arange(size, device=to_frame.device)
    y = cells.double()[:, None]
    within = (cells % _BLOCK).double()
    block = cells.double() - within
    m = to_frame[..., None, None]  # (K, 3, 3, 1, 1)
    x_sum, y_sum, w_sum = (
        (m[:, i, 0] * block + m[:, i, 1] * y + m[:, i, 2]) + m[:, i, 0] * within for i in range(3)
    )
    scale = torch.where(w_sum == 0, 0.0, _ONE / w_sum)
    column, row = (
        (total * scale).clamp(*_INT).round().long() for total in (x_sum, y_sum)
    )  # half to even, as OpenCV
    return column, row


def to_levels(crops: UInt8[Tensor, "K S S 3"], lens: Lens) -> Float[Tensor, "K S S 3"]:
    """What a network gets, float32; `crops.levels` to within one unit in the last place."""
    return crops.float() * ((lens.high - lens.low) / 255) + lens.low
