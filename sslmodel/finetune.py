"""Training with labels: an encoder that goes on learning (fine-tuning), or starts from nothing.

One fixed recipe for both, so that what differs is the start. Nothing is chosen, so no label is
spent on choosing: it learns from the labelled clips of train and val, as the final linear fit does.
"""

import copy
import math
from dataclasses import replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils import skip_init

from poseprep.errors import InputError
from sslmodel.config import FineTuneConfig, ViewConfig
from sslmodel.dataset import Dataset
from sslmodel.encoder import Encoder
from sslmodel.pretrain import warmup_then_cosine
from sslmodel.views import augment

_AT_ONCE = 256


class Classifier(nn.Module):
    """An encoder and a linear layer on its standardised features.

    Args:
        mean, spread: (D,) of the features before the first step; they stay.
    """

    def __init__(
        self, encoder: Encoder, mean: Float[Tensor, " D"], spread: Float[Tensor, " D"], classes: int
    ):
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.head = skip_init(nn.Linear, len(mean), classes)
        # Nothing is known yet: all signs alike, and the first steps do not shake the encoder.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    mean: Tensor
    spread: Tensor

    def forward(
        self, points: Float[Tensor, "B T V C"], seen: Float[Tensor, "B T V"]
    ) -> Float[Tensor, "B S"]:
        """Logits."""
        return self.head((self.encoder(points, seen) - self.mean) / self.spread)


def fine_tune(
    encoder: Encoder,
    dataset: Dataset,
    signs: Int[np.ndarray, " N"],
    classes: int,
    known: Bool[np.ndarray, " N"],
    test: Bool[np.ndarray, " N"],
    config: FineTuneConfig,
    views: ViewConfig,
    seed: int,
    device: torch.device,
    layers: str = "whole",
) -> Float[np.ndarray, "M S"]:
    """Train with the labels of `known`, and score the test clips; larger is likelier.

    The given encoder stays as it is; give `encoder.untrained(seed)` to start from nothing. Signs
    that no known clip shows get −inf.

    Args:
        layers: "whole" trains all of the encoder, "last" what follows the readout of the parts.

    Raises:
        InputError: no known clip shows a person.
    """
    generator = torch.Generator(device=device).manual_seed(seed)
    skeleton = dataset.skeleton
    mirror = torch.as_tensor(np.asarray(skeleton.mirror), device=device)
    # Who named a sign saw it from its beginning to its end: shuffled ends are for learning without.
    views = replace(views, permute_ends=0.0)
    rows = dataset.windows_of(known)
    rows = rows[dataset.seen[rows].flatten(1).any(dim=1)]
    if not len(rows):
        raise InputError(f"{dataset.path}: no labelled clip of train shows a person; label others")
    points, seen = dataset.points[rows].to(device), dataset.seen[rows].to(device)
    labels = torch.as_tensor(signs, device=device)[dataset.clip.to(device)[rows.to(device)]]
    encoder = copy.deepcopy(encoder).to(device)
    features = _features(encoder, points, seen)
    model = Classifier(
        encoder, features.mean(dim=0), features.std(dim=0, unbiased=False).clamp(min=1e-3), classes
    ).to(device)
    trained = _trained(model.train(), layers)
    optimizer = torch.optim.AdamW(
        trained, lr=config.learning_rate, weight_decay=config.weight_decay
    )
    per_epoch = math.ceil(len(rows) / config.batch)
    steps = max(config.epochs * per_epoch, config.fewest_steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, partial(warmup_then_cosine, total=steps, warmup=config.warmup)
    )
    order = torch.empty(0, dtype=torch.long, device=device)
    for _ in range(steps):
        if not len(order):
            order = torch.randperm(len(rows), generator=generator, device=device)
        chosen, order = order[: config.batch], order[config.batch :]
        p, s = augment(points[chosen], seen[chosen], views, skeleton.parts, mirror, generator)
        loss = F.cross_entropy(model(p, s), labels[chosen], label_smoothing=config.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    scores = _scores(model.eval(), dataset, test, device)
    scores[:, np.bincount(signs[known], minlength=classes) == 0] = -np.inf
    return scores


def _trained(model: Classifier, layers: str) -> list[nn.Parameter]:
    """The parameters that learn; the others are frozen."""
    if layers == "last":
        late = (*model.encoder.backbone.late_layers(), model.head)
        kept = {id(parameter) for module in late for parameter in module.parameters()}
        for parameter in model.parameters():
            parameter.requires_grad_(id(parameter) in kept)
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


@torch.no_grad()
def _features(
    encoder: Encoder, points: Float[Tensor, "W T V C"], seen: Float[Tensor, "W T V"]
) -> Float[Tensor, "W D"]:
    pieces = zip(points.split(_AT_ONCE), seen.split(_AT_ONCE), strict=True)
    return torch.cat([encoder(p, s) for p, s in pieces])


@torch.no_grad()
def _scores(
    model: Classifier, dataset: Dataset, test: Bool[np.ndarray, " N"], device: torch.device
) -> Float[np.ndarray, "M S"]:
    """The mean log-share of each test clip's windows; those that show nobody do not count."""
    rows = dataset.windows_of(test)
    points, seen = dataset.points[rows], dataset.seen[rows]
    pieces = zip(points.split(_AT_ONCE), seen.split(_AT_ONCE), strict=True)
    logs = torch.cat([model(p.to(device), s.to(device)).log_softmax(1).cpu() for p, s in pieces])
    weight = seen.flatten(1).any(dim=1).double()
    clip = torch.as_tensor(np.cumsum(test) - 1)[dataset.clip[rows]]
    total = torch.zeros(int(test.sum()), logs.shape[1], dtype=torch.float64)
    # A clip that nobody is seen in scores all signs alike.
    return total.index_add_(0, clip, logs.double() * weight[:, None]).numpy()
