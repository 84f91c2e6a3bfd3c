"""The project's own backbone: points stay apart, and time in order."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseprep.skeleton import Skeleton
from sslmodel import graph
from sslmodel.backbones.backbone import Backbone
from sslmodel.blocks import GraphBlock, PartReadout, TimeBlock, pool_in_bins
from sslmodel.config import EncoderConfig


class PartsApart(Backbone):
    """Graph blocks, a readout of each part with its points apart, temporal blocks, bins of time.

    The readout sees the inputs beside what the graph blocks make of them, so that nothing of a
    hand's shape is lost before it.
    No statistics of the batch are used: a clip's embedding does not depend on its neighbours.
    """

    def __init__(self, skeleton: Skeleton, channels: int, config: EncoderConfig):
        super().__init__()
        self.skeleton, self.config = skeleton, config
        width = config.width
        adjacency = graph.adjacency(skeleton)
        sizes = [channels] + [config.point_channels] * config.graph_blocks
        self.graph_blocks = nn.ModuleList(GraphBlock(a, b, adjacency) for a, b in pairwise(sizes))
        read = channels + (sizes[-1] if config.graph_blocks else 0)
        self.readouts = nn.ModuleDict(
            {
                part: PartReadout(
                    where.stop - where.start if config.points_apart else 1, read, width
                )
                for part, where in skeleton.parts.items()
            }
        )
        self.time_blocks = nn.ModuleList(TimeBlock(width) for _ in range(config.time_blocks))

    def forward(self, x: Float[Tensor, "B T V C"]) -> Float[Tensor, "B D"]:
        """Embed standardised inputs, 0 where missing."""
        if self.graph_blocks:
            heard = x.transpose(1, 2).contiguous()  # (B, V, T, C)
            for block in self.graph_blocks:
                heard = block(heard)
            x = torch.cat([x, heard.transpose(1, 2)], dim=-1)
        read = [self._read(part, readout, x) for part, readout in self.readouts.items()]
        h = torch.stack(read).sum(dim=0)
        for block in self.time_blocks:
            h = block(h)
        return pool_in_bins(h, self.config.time_bins, self.config.time_peaks)

    def _read(
        self, part: str, readout: nn.Module, x: Float[Tensor, "B T V C"]
    ) -> Float[Tensor, "B T2 W"]:
        points = x[:, :, self.skeleton.parts[part]]
        return readout(points if self.config.points_apart else points.mean(dim=2, keepdim=True))

    def late_layers(self) -> list[nn.Module]:
        """What follows the readout."""
        return [*self.time_blocks]
