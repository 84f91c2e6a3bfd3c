"""The encoder: (B, T, V, C) keypoints → (B, D) embeddings."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseprep.skeleton import Skeleton
from sslmodel import graph
from sslmodel.blocks import GraphBlock, PartReadout, TimeBlock, central_difference, pool_in_bins
from sslmodel.config import EncoderConfig

# x and y of the position, the position from the part's root, the bone, the motion; and seen.
INPUT_CHANNELS = 9
_FIT_CLIPS = 256


class Encoder(nn.Module):
    """A spatial-temporal graph encoder that keeps handshape and order.

    Graph blocks let every point hear its neighbours; then each part of the body is read out
    with its points kept apart; temporal blocks follow; time is pooled in a few bins.
    No statistics of the batch are used: a clip's embedding does not depend on its neighbours.

    Args:
        skeleton: the V points that are read, in the order of the input.
        config: sizes.
    """

    parent: Tensor
    root: Tensor
    input_mean: Tensor
    input_scale: Tensor

    def __init__(self, skeleton: Skeleton, config: EncoderConfig):
        super().__init__()
        self.skeleton = skeleton
        self.config = config
        points, channels = len(skeleton.names), config.point_channels
        width = config.features // config.time_bins
        self.register_buffer("parent", graph.parents(skeleton), persistent=False)
        self.register_buffer("root", graph.part_roots(skeleton), persistent=False)
        self.register_buffer("input_mean", torch.zeros(points, INPUT_CHANNELS))
        self.register_buffer("input_scale", torch.ones(points, INPUT_CHANNELS))
        adjacency = graph.adjacency(skeleton)
        sizes = [INPUT_CHANNELS] + [channels] * config.graph_blocks
        self.graph_blocks = nn.ModuleList(
            # The first block halves the frames: what follows costs half.
            GraphBlock(a, b, adjacency, stride=2 if i == 0 else 1)
            for i, (a, b) in enumerate(pairwise(sizes))
        )
        self.readouts = nn.ModuleDict(
            {
                part: PartReadout(where.stop - where.start, sizes[-1], config.part_channels)
                for part, where in skeleton.parts.items()
            }
        )
        self.fuse = nn.Linear(config.part_channels * len(skeleton.parts), width)
        self.time_blocks = nn.ModuleList(
            TimeBlock(width, dilation=2**i) for i in range(config.time_blocks)
        )

    def forward(
        self, points: Float[Tensor, "B T V C"], seen: Float[Tensor, "B T V"]
    ) -> Float[Tensor, "B D"]:
        """Embed normalised clips; what `points` holds where seen is 0 does not matter."""
        inputs, known = self.inputs(points, seen)
        # What is not known takes the mean's place: zero after standardising, and not before.
        x = (inputs - self.input_mean) / self.input_scale * known
        x = x.transpose(1, 2).contiguous()  # (B, V, T, C)
        seen = seen.transpose(1, 2).contiguous()
        for block in self.graph_blocks:
            x, seen = block(x, seen)
        parts = self.skeleton.parts
        read = [readout(x[:, parts[name]]) for name, readout in self.readouts.items()]
        h = self.fuse(torch.cat(read, dim=-1))
        for block in self.time_blocks:
            h = block(h)
        return pool_in_bins(h, self.config.time_bins)

    def inputs(
        self, points: Float[Tensor, "B T V C"], seen: Float[Tensor, "B T V"]
    ) -> tuple[Float[Tensor, "B T V 9"], Float[Tensor, "B T V 9"]]:
        """Position, position from the part's root, bone, motion and seen; and what is known.

        A point that is seen has no bone where its parent is not, no place from a root that is
        not seen, and no motion without both neighbouring frames.
        """
        here = seen[..., None]
        position = torch.where(here > 0, points[..., :2], 0.0)
        rooted, jointed = here * here[:, :, self.root], here * here[:, :, self.parent]
        motion, moving = central_difference(position, seen)
        values = (
            (position, here),
            ((position - position[:, :, self.root]) * rooted, rooted),
            ((position - position[:, :, self.parent]) * jointed, jointed),
            (motion, moving[..., None] * here),
        )
        known = torch.cat([mask.expand_as(value) for value, mask in values] + [here], dim=-1)
        return torch.cat([value for value, _ in values] + [here], dim=-1), known

    @torch.no_grad()
    def fit_input(self, points: Float[Tensor, "B T V C"], seen: Float[Tensor, "B T V"]) -> None:
        """Learn each input's mean and spread, so that a fingertip counts as much as an arm.

        A hand's shape varies by a tenth of what its place does. Needs no labels; give it
        training clips only.
        """
        count = torch.zeros_like(self.input_mean, dtype=torch.float64)
        total, squares = torch.zeros_like(count), torch.zeros_like(count)
        # In pieces: the inputs of a whole corpus are several times its points.
        for p, s in zip(points.split(_FIT_CLIPS), seen.split(_FIT_CLIPS), strict=True):
            inputs, known = (x.flatten(0, 1).double() for x in self.inputs(p, s))
            count += known.sum(dim=0)
            total += (inputs * known).sum(dim=0)
            squares += (inputs.square() * known).sum(dim=0)
        mean = total / count.clamp(min=1.0)
        spread = (squares / count.clamp(min=1.0) - mean.square()).clamp(min=0.0).sqrt()
        # What hardly varies (a wrist seen from itself) is left as it is, not blown up.
        scale = torch.where(spread > 1e-3, spread, 1.0)
        # `seen` stays 0 or 1: it is 1 wherever it is read.
        mean[:, -1], scale[:, -1] = 0.0, 1.0
        self.input_mean.copy_(mean)
        self.input_scale.copy_(scale)

    def untrained(self, seed: int) -> "Encoder":
        """The same encoder with fresh weights: what training is measured against.

        The input's scale stays, since no training went into it.
        """
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            fresh = Encoder(self.skeleton, self.config)
        fresh.input_mean.copy_(self.input_mean)
        fresh.input_scale.copy_(self.input_scale)
        return fresh.eval()
