"""Graph encoders as people have them today, to compare with: every point keeps all channels.

As many blocks, with the same channels, kernel and stride, as `parts-apart` has; the points are
averaged at the end. `STGCN` mixes neighbours with an einsum over a dense adjacency, `GCN` by
torch-geometric's message passing.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from poseprep.skeleton import Skeleton
from sslmodel import graph
from sslmodel.backbones.backbone import Backbone
from sslmodel.blocks import KERNEL, pool_in_bins
from sslmodel.config import EncoderConfig


class STGCN(Backbone):
    """A plain spatial-temporal graph network.

    Its batch normalisation, which ours does without, counts on one process only.
    Source: Yan et al., arXiv 1801.07455, with one partition of the neighbours (its eq. 3), and
    without dropout and the learned weights of edges.
    """

    def __init__(self, skeleton: Skeleton, channels: int, config: EncoderConfig):
        super().__init__()
        self.config, width = config, config.width
        wide = 1 + config.time_blocks  # the readout and the temporal blocks
        sizes = [channels] + [config.point_channels] * config.graph_blocks + [width] * wide
        self.blocks = nn.ModuleList(
            _Block(self.spatial(skeleton, a, b), b, stride=2 if i == config.graph_blocks else 1)
            for i, (a, b) in enumerate(pairwise(sizes))
        )

    @staticmethod
    def spatial(skeleton: Skeleton, channels_in: int, channels_out: int) -> nn.Module:
        """The layer that mixes neighbours, (B, C, T, V) in and out."""
        return _EinsumGraph(graph.adjacency(skeleton), channels_in, channels_out)

    def forward(self, x: Float[Tensor, "B T V C"]) -> Float[Tensor, "B D"]:
        """Embed standardised inputs, 0 where missing."""
        h = x.permute(0, 3, 1, 2).contiguous()
        for block in self.blocks:
            h = block(h)
        return pool_in_bins(
            h.mean(dim=3).transpose(1, 2), self.config.time_bins, self.config.time_peaks
        )

    def late_layers(self) -> list[nn.Module]:
        """The last block."""
        return [self.blocks[-1]]


class GCN(STGCN):
    """The same with torch-geometric's `GCNConv`: messages are gathered and scattered by edge.

    Source: Kipf and Welling, arXiv 1609.02907, eq. 2.
    """

    @staticmethod
    def spatial(skeleton: Skeleton, channels_in: int, channels_out: int) -> nn.Module:
        """The layer that mixes neighbours, (B, C, T, V) in and out."""
        return _MessagePassing(skeleton, channels_in, channels_out)


class _Block(nn.Module):
    def __init__(self, spatial: nn.Module, channels: int, stride: int):
        super().__init__()
        self.spatial = spatial
        self.first, self.second = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.temporal = nn.Conv2d(
            channels, channels, (KERNEL, 1), (stride, 1), padding=(KERNEL // 2, 0)
        )

    def forward(self, x: Float[Tensor, "B C T V"]) -> Float[Tensor, "B D T2 V"]:
        h = self.second(self.temporal(F.relu(self.first(self.spatial(x)))))
        return F.relu(x + h if x.shape == h.shape else h)


class _EinsumGraph(nn.Module):
    adjacency: Tensor

    def __init__(self, adjacency: Tensor, channels_in: int, channels_out: int):
        super().__init__()
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.mix = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Float[Tensor, "B C T V"]) -> Float[Tensor, "B D T V"]:
        return torch.einsum("bctv,vw->bctw", self.mix(x), self.adjacency)


class _MessagePassing(nn.Module):
    edges: Tensor
    weights: Tensor

    def __init__(self, skeleton: Skeleton, channels_in: int, channels_out: int):
        super().__init__()
        # Normalised once, not at every call.
        edges, weights = graph.normalised_edges(skeleton)
        self.register_buffer("edges", edges, persistent=False)
        self.register_buffer("weights", weights, persistent=False)
        self.conv = GCNConv(channels_in, channels_out, normalize=False)

    def forward(self, x: Float[Tensor, "B C T V"]) -> Float[Tensor, "B D T V"]:
        # Every frame is the same graph, which GCNConv takes as (frames, V, C).
        frames = x.permute(0, 2, 3, 1)
        heard = self.conv(frames.flatten(0, 1), self.edges, self.weights)
        return heard.unflatten(0, frames.shape[:2]).permute(0, 3, 1, 2)
