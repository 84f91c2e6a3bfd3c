"""What backbones are built of. All of it reads and gives channels last, as memory lies."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

# Frames that a convolution over time sees.
KERNEL = 5


class TimeConv(nn.Conv2d):
    """A convolution over time whose channels lie last, in and out.

    Computed as a convolution over pictures of one row: a view of the same memory, and on a CPU
    the fastest way there is (docs/performance.md).

    Args:
        channels_in, channels_out: C before and after.
        kernel: frames that it sees, an odd number.
        stride: 2 halves the frames.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1):
        padding = (0, kernel // 2)
        super().__init__(channels_in, channels_out, (1, kernel), (1, stride), padding)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T2 D"]:
        """Zeros stand before the first and after the last frame."""
        picture = x.unsqueeze(1).permute(0, 3, 1, 2)  # (B, C, 1, T), channels_last
        return super().forward(picture).permute(0, 2, 3, 1).squeeze(1)


class GraphBlock(nn.Module):
    """Every point hears its neighbours in the skeleton: ReLU([x, A x] W).

    A point that is missing is 0, which is the mean of standardised inputs; `seen` is one of them,
    so that the two can be told apart.

    Args:
        channels_in, channels_out: C before and after.
        adjacency: (V, V), normalised, with self-loops.
    """

    adjacency: Tensor

    def __init__(self, channels_in: int, channels_out: int, adjacency: Tensor):
        super().__init__()
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.mix = nn.Linear(2 * channels_in, channels_out)

    def forward(self, x: Float[Tensor, "B V T C"]) -> Float[Tensor, "B V T D"]:
        """Points before time: then one product with the adjacency serves all frames at once."""
        heard = (self.adjacency @ x.flatten(2)).view_as(x)
        return F.relu(self.mix(torch.cat([x, heard], dim=-1)))


class PartReadout(nn.Module):
    """All points of one part at once, each with its own weights, over neighbouring frames.

    Averaging over points throws the handshape away; here no two points are ever mixed
    with equal weight. The frames are halved: what follows costs half.

    Args:
        points: Vp, how many points the part has.
        channels: C of every point.
        width: W, channels of the part as a whole.
        kernel: frames that are read at once.
    """

    def __init__(self, points: int, channels: int, width: int, kernel: int = KERNEL):
        super().__init__()
        self.conv = TimeConv(points * channels, width, kernel, stride=2)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "B T Vp C"]) -> Float[Tensor, "B T2 W"]:
        """The part's points, channels and neighbouring frames as one vector a frame."""
        return F.relu(self.norm(self.conv(x.flatten(2))))


class TimeBlock(nn.Module):
    """A residual temporal convolution over what was read out: x + ReLU(conv(LN(x)))."""

    def __init__(self, width: int, kernel: int = KERNEL):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = TimeConv(width, width, kernel)

    def forward(self, x: Float[Tensor, "B T W"]) -> Float[Tensor, "B T W"]:
        """As many frames and channels as came in."""
        return x + F.relu(self.conv(self.norm(x)))


def pool_in_bins(x: Float[Tensor, "B T W"], bins: int, peaks: bool) -> Float[Tensor, "B D"]:
    """The mean over each of `bins` equal stretches of time, side by side: order survives.

    With `peaks` the maxima follow: what happens for a moment, a mean over half a clip hides.
    """
    frames = x.shape[1]
    # As adaptive pooling has them: where frames do not divide, neighbours share one.
    stretches = [x[:, i * frames // bins : -(-(i + 1) * frames // bins)] for i in range(bins)]
    pooled = [stretch.mean(dim=1) for stretch in stretches]
    if peaks:
        pooled += [stretch.amax(dim=1) for stretch in stretches]
    return torch.cat(pooled, dim=1)


def central_difference(
    x: Float[Tensor, "B T V C"], seen: Float[Tensor, "B T V"]
) -> tuple[Float[Tensor, "B T V C"], Float[Tensor, "B T V"]]:
    """(x[t+1] − x[t−1]) / 2 where both are known, else 0, so at the ends; and where it is known."""
    both = torch.zeros_like(seen)
    both[:, 1:-1] = seen[:, 2:] * seen[:, :-2]
    motion = torch.zeros_like(x)
    motion[:, 1:-1] = (x[:, 2:] - x[:, :-2]) / 2
    return motion * both[..., None], both
