"""The encoder: (B, T, V, C) keypoints → (B, D) embeddings."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseprep.errors import InputError
from poseprep.skeleton import Skeleton
from sslmodel import graph
from sslmodel.backbones import BACKBONES
from sslmodel.blocks import central_difference
from sslmodel.config import EncoderConfig

_FIT_CLIPS = 256


class Encoder(nn.Module):
    """Standardised inputs, and a backbone that reads them.

    Args:
        skeleton: the V points that are read, in the order of the input.
        config: inputs, backbone and sizes.
    """

    parent: Tensor
    root: Tensor
    input_mean: Tensor
    input_scale: Tensor

    def __init__(self, skeleton: Skeleton, config: EncoderConfig):
        super().__init__()
        self.skeleton = skeleton
        self.config = config
        points, channels = len(skeleton.names), input_channels(config)
        self.register_buffer("parent", graph.parents(skeleton), persistent=False)
        self.register_buffer("root", graph.part_roots(skeleton), persistent=False)
        self.register_buffer("input_mean", torch.zeros(points, channels))
        self.register_buffer("input_scale", torch.ones(points, channels))
        self.backbone = BACKBONES[config.backbone](skeleton, channels, config)

    def forward(
        self, points: Float[Tensor, "B T V C"], seen: Float[Tensor, "B T V"]
    ) -> Float[Tensor, "B D"]:
        """Embed normalised clips; what `points` holds where seen is 0 does not matter."""
        inputs, known = self.inputs(points, seen)
        # What is not known takes the mean's place: zero after standardising, and not before.
        return self.backbone((inputs - self.input_mean) / self.input_scale * known)

    def inputs(
        self, points: Float[Tensor, "B T V C"], seen: Float[Tensor, "B T V"]
    ) -> tuple[Float[Tensor, "B T V I"], Float[Tensor, "B T V I"]]:
        """Position; as configured position from the part's root, bone and motion; seen.

        And what of it is known: a point that is seen has no bone where its parent is not, no
        place from a root that is not seen, and no motion without both neighbouring frames.
        """
        here = seen[..., None]
        position = torch.where(here > 0, points[..., :2], 0.0)
        values = [(position, here)]
        if self.config.rooted:
            rooted = here * here[:, :, self.root]
            values.append(((position - position[:, :, self.root]) * rooted, rooted))
        if self.config.bone:
            jointed = here * here[:, :, self.parent]
            values.append(((position - position[:, :, self.parent]) * jointed, jointed))
        if self.config.motion:
            motion, moving = central_difference(position, seen)
            values.append((motion, moving[..., None] * here))
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


def check_pooling(config: EncoderConfig) -> None:
    """Raise InputError where an embedding cannot be made of equally long pooled frames."""
    if config.features % config.pooled:
        raise InputError(
            f"--encoder-features: expected a multiple of {config.pooled} (the time bins, "
            f"twice with peaks), found {config.features}"
        )


def input_channels(config: EncoderConfig) -> int:
    """How many numbers the backbone reads of every point in every frame."""
    return 2 * (1 + config.rooted + config.bone + config.motion) + 1
