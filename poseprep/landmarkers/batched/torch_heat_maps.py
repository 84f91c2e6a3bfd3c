"""Points of the body, made finer by heat maps that stay on the device: see `heat_maps`."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from poseprep.landmarkers.batched.heat_maps import KERNEL, LEAST_CONFIDENCE


def refined(
    raw: Float[Tensor, "K 195"], maps: Float[Tensor, "K H W 39"], size: int
) -> Float[Tensor, "K 39 5"]:
    """As `heat_maps.refined`, with sums added in another order."""
    _, height, width, count = maps.shape
    points = raw.reshape(-1, count, 5)
    points = torch.cat([points[..., :3] / size, points[..., 3:].sigmoid()], dim=-1)

    column, row = (points[..., 0] * width).long(), (points[..., 1] * height).long()
    step = torch.arange(KERNEL, device=maps.device) - (KERNEL - 1) // 2
    rows = (row[..., None] + step)[..., :, None]  # (K, 39, 9, 1)
    columns = (column[..., None] + step)[..., None, :]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    k = torch.arange(len(raw), device=maps.device)[:, None, None, None]
    which = torch.arange(count, device=maps.device)[:, None, None]
    near = maps[k, rows.clamp(0, height - 1), columns.clamp(0, width - 1), which]
    sure = near.sigmoid() * inside

    total = sure.sum(dim=(2, 3))
    fine_x = (sure * columns).sum(dim=(2, 3)) / width / total
    fine_y = (sure * rows).sum(dim=(2, 3)) / height / total
    take = (
        ((column >= 0) & (column < width) & (row >= 0) & (row < height))
        & (sure.amax(dim=(2, 3)) >= LEAST_CONFIDENCE)
        & (total > 0)
    )
    fine = torch.stack([fine_x, fine_y], dim=-1)
    return torch.cat([torch.where(take[..., None], fine, points[..., :2]), points[..., 2:]], dim=-1)
