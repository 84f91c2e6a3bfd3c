"""What the encoder is built of. Missing points are masked, never read as zeros at the origin."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class GraphBlock(nn.Module):
    """Every point hears its neighbours in the skeleton, then its own past and future.

    Neighbours that are missing are left out of the mean instead of counting as zero.

    Args:
        channels_in, channels_out: C before and after.
        adjacency: (V, V), normalised, with self-loops.
        stride: 2 halves the frames.
        kernel: frames that a point's temporal convolution sees.
    """

    adjacency: Tensor

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        adjacency: Tensor,
        stride: int = 1,
        kernel: int = 3,
    ):
        super().__init__()
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.stride = stride
        self.mix = nn.Linear(2 * channels_in, channels_out)
        self.norm = nn.LayerNorm(channels_out)
        self.temporal = nn.Conv2d(
            channels_out, channels_out, (1, kernel), (1, stride), padding=(0, kernel // 2)
        )

    def forward(
        self, x: Float[Tensor, "B V T C"], seen: Float[Tensor, "B V T"]
    ) -> tuple[Float[Tensor, "B V T2 D"], Float[Tensor, "B V T2"]]:
        """x must be 0 where seen is 0. With a stride a point is seen if it was in any frame."""
        # Points before time: then one product with the adjacency serves all frames at once.
        heard = (self.adjacency @ x.flatten(2)).view_as(x)
        heard = heard / (self.adjacency @ seen).clamp(min=1e-6)[..., None]
        h = F.relu(self.norm(self.mix(torch.cat([x, heard], dim=-1)))) * seen[..., None]
        # (B, V, T, C) read as (B, C, V, T) is channels_last already: no copy.
        moved = self.temporal(h.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        if self.stride > 1:
            share = halve_time(seen[..., None])
            h = halve_time(h) / share.clamp(min=0.5)
            seen = share[..., 0].ceil()
        return (h + F.relu(moved)) * seen[..., None], seen


class PartReadout(nn.Module):
    """All points of one part at once, each with its own weights, over neighbouring frames.

    Averaging over points throws the handshape away; here no two points are ever mixed
    with equal weight.
    """

    def __init__(self, points: int, channels: int, width: int):
        super().__init__()
        self.conv = nn.Conv1d(points * channels, width, kernel_size=3, padding=1)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "B Vp T C"]) -> Float[Tensor, "B T W"]:
        """The part's points, channels and neighbouring frames as one vector a frame."""
        flat = x.transpose(2, 3).flatten(1, 2)
        return F.relu(self.norm(self.conv(flat).transpose(1, 2)))


class TimeBlock(nn.Module):
    """A residual temporal convolution over what was read out."""

    def __init__(self, width: int, kernel: int = 3, dilation: int = 1):
        super().__init__()
        padding = dilation * (kernel // 2)
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, width, kernel, padding=padding, dilation=dilation)

    def forward(self, x: Float[Tensor, "B T W"]) -> Float[Tensor, "B T W"]:
        """As many frames and channels as came in."""
        return x + F.relu(self.conv(self.norm(x).transpose(1, 2)).transpose(1, 2))


def pool_in_bins(x: Float[Tensor, "B T W"], bins: int) -> Float[Tensor, "B D"]:
    """Mean over each of `bins` equal stretches of time, side by side: order survives."""
    return F.adaptive_avg_pool1d(x.transpose(1, 2), bins).flatten(1)


def halve_time(x: Float[Tensor, "B V T C"]) -> Float[Tensor, "B V T2 C"]:
    """Mean of every two neighbouring frames; an odd last frame stays as it is."""
    return F.avg_pool2d(x.permute(0, 3, 1, 2), (1, 2), ceil_mode=True).permute(0, 2, 3, 1)


def central_difference(
    x: Float[Tensor, "B T V C"], seen: Float[Tensor, "B T V"]
) -> tuple[Float[Tensor, "B T V C"], Float[Tensor, "B T V"]]:
    """(x[t+1] − x[t−1]) / 2 where both are known, else 0, so at the ends; and where it is known."""
    both = torch.zeros_like(seen)
    both[:, 1:-1] = seen[:, 2:] * seen[:, :-2]
    motion = torch.zeros_like(x)
    motion[:, 1:-1] = (x[:, 2:] - x[:, :-2]) / 2
    return motion * both[..., None], both
