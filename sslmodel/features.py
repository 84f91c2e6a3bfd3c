"""A store's clips as embeddings, and the plain coordinates they have to beat."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

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
    return _of_clips(torch.cat(windows).numpy(), dataset)


def raw_coordinates(dataset: Dataset) -> Float[np.ndarray, "N D"]:
    """The raw baseline: the same points and frames, flattened, with seen."""
    flat = torch.cat([dataset.points[..., :2], dataset.seen[..., None]], dim=-1).flatten(1)
    return _of_clips(flat.numpy(), dataset)


def mean_over_windows(
    windows: Float[np.ndarray, "W D"],
    clip: Int[np.ndarray, " W"],
    shown: Bool[np.ndarray, " W"],
    clips: int,
) -> Float[np.ndarray, "N D"]:
    """Each clip's mean over its windows that show somebody; over all where none does.

    Args:
        clip: which of N clips each window is of.
        shown: whether a window shows anybody.
    """
    if len(windows) == clips:
        return windows
    person = np.bincount(clip, shown, minlength=clips) > 0
    weight = np.where(person[clip], shown, True).astype(windows.dtype)
    total = np.zeros((clips, windows.shape[1]), windows.dtype)
    np.add.at(total, clip, windows * weight[:, None])
    return total / np.bincount(clip, weight, minlength=clips)[:, None].astype(windows.dtype)


def _of_clips(windows: Float[np.ndarray, "W D"], dataset: Dataset) -> Float[np.ndarray, "N D"]:
    shown = dataset.seen.flatten(1).any(dim=1).numpy()
    return mean_over_windows(windows, dataset.clip.numpy(), shown, len(dataset))
