"""The embedding drawn flat: PCA, and t-SNE, which keeps neighbours together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from sslmodel.report.collect import Embeddings

_MOST = 2000
_SEED = 0
# t-SNE reads the main directions only: the rest is slow, and noise to it.
_DIRECTIONS = 50
_PERPLEXITY = 30.0
# Fewer clips have no neighbourhoods to speak of.
_FEWEST = 8


@dataclass(frozen=True, eq=False)
class Atlas:
    """Two maps of the same clips.

    Attributes:
        clips: (K,) places in the dataset of the clips that are drawn.
        of: how many clips with a person there are.
        pca: (K, 2).
        explained: the shares of the variance that its two directions hold.
        tsne: (K, 2), or None where the clips are too few.
    """

    clips: Int[np.ndarray, " K"]
    of: int
    pca: Float[np.ndarray, "K 2"]
    explained: tuple[float, float]
    tsne: Float[np.ndarray, "K 2"] | None


def make_atlas(embeddings: Embeddings) -> Atlas | None:
    """The maps; None where there are fewer than 3 clips to show, or all lie on one spot."""
    there = np.flatnonzero(embeddings.dataset.person)
    clips = there
    if len(there) > _MOST:
        clips = np.sort(np.random.default_rng(_SEED).choice(there, _MOST, replace=False))
    x = np.asarray(embeddings.features[clips], np.float64)
    if len(clips) < 3 or x.std(axis=0).max() < 1e-6:
        return None
    main = PCA(min(_DIRECTIONS, *x.shape), svd_solver="full").fit(x)
    along = main.transform(x)
    if along.shape[1] < 2:
        return None
    tsne = None
    if len(clips) >= _FEWEST:
        perplexity = min(_PERPLEXITY, (len(clips) - 1) / 3)
        tsne = TSNE(perplexity=perplexity, init="pca", random_state=_SEED).fit_transform(along)
    first, second = main.explained_variance_ratio_[:2].tolist()
    flat = None if tsne is None else np.asarray(tsne, np.float64)
    return Atlas(clips, len(there), along[:, :2], (first, second), flat)
