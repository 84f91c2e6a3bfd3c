"""A store's clips as embeddings, and the plain coordinates they have to beat."""

import numpy as np
import torch
from jaxtyping import Float

from sslmodel.dataset import Dataset
from sslmodel.encoder import Encoder

_BATCH = 256


@torch.no_grad()
def encode(
    encoder: Encoder, dataset: Dataset, device: torch.device | str = "cpu"
) -> Float[np.ndarray, "N D"]:
    """One embedding a clip; the windows of a long clip are averaged."""
    training = encoder.training
    encoder.eval().to(device)
    windows = [
        encoder(points.to(device), seen.to(device)).cpu()
        for points, seen in zip(
            dataset.points.split(_BATCH), dataset.seen.split(_BATCH), strict=True
        )
    ]
    encoder.train(training)
    return _mean_over_windows(torch.cat(windows).numpy(), dataset)


def raw_coordinates(dataset: Dataset) -> Float[np.ndarray, "N D"]:
    """The raw baseline: the same points and frames, flattened, with seen."""
    flat = torch.cat([dataset.points, dataset.seen[..., None]], dim=-1).flatten(1)
    return _mean_over_windows(flat.numpy(), dataset)


def _mean_over_windows(
    windows: Float[np.ndarray, "W D"], dataset: Dataset
) -> Float[np.ndarray, "N D"]:
    """Each clip's mean over its windows that show somebody; over all where none does."""
    if len(windows) == len(dataset):
        return windows
    clip = dataset.clip.numpy()
    weight = dataset.seen.flatten(1).any(dim=1).numpy().astype(windows.dtype)
    weight[~dataset.person[clip]] = 1
    total = np.zeros((len(dataset), windows.shape[1]), windows.dtype)
    np.add.at(total, clip, windows * weight[:, None])
    return total / np.bincount(clip, weight, minlength=len(dataset))[:, None].astype(windows.dtype)
