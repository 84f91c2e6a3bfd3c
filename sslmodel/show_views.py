"""`slr show-views`: what the augmentations do to a clip, as a picture."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from poseprep.clip import IMPORTED, MISSING, Clip
from poseprep.errors import InputError
from poseprep.options import check
from poseprep.skeleton import Skeleton
from poseprep.sprite import drawn_extent
from poseprep.store import KeypointStore
from sslmodel.config import InputConfig, ViewConfig
from sslmodel.dataset import normalized_clip, signing_skeleton
from sslmodel.plots import plot_strips
from sslmodel.views import augment

_NOTHING = ViewConfig(**{entry.name: 0.0 for entry in fields(ViewConfig)})
# One function of views.py each: the settings that are its own.
_ALONE = {
    "time cropped and warped": ("crop", "speed"),
    "permute_ends": ("permute_ends",),
    "hands moved": ("hand_turn_degrees", "hand_scale", "hand_shift"),
    "hands tilted": ("hand_tilt_degrees",),
    "mirrored": ("mirror",),
    "sheared": ("shear",),
    "rotated": ("rotation_degrees",),
    "resized": ("scale",),
    "shifted": ("shift",),
    "jitter": ("jitter",),
    "points dropped": ("drop_points",),
    "hands dropped": ("drop_hands",),
}
# Chances, which are 1 where they are shown alone: else there might be nothing to see.
_CHANCES = ("permute_ends", "mirror", "drop_hands")


@dataclass(frozen=True, eq=False)
class ShownViews:
    """The rows of the picture: the clip as the encoder gets it, two views, each function alone."""

    clips: list[Clip]
    titles: list[str]


def show_views(
    store: Path, key: str, out: Path, config: ViewConfig, seed: int = 0, frames: int = 12
) -> ShownViews:
    """Draw a clip, two views of it, and what every augmentation does alone, a row each.

    What has strength 0 has no row. All rows are drawn to the same scale.

    Args:
        frames: tiles in a row.

    Raises:
        InputError: a setting is not allowed, no such store or clip, or `out` is no picture's name.
    """
    check(config)
    if out.suffix.lower() != ".png":
        raise InputError(f"{out}: expected the name of a picture to write, ending in .png")
    settings = InputConfig()
    with KeypointStore(store) as opened:
        skeleton = signing_skeleton(opened)
        points, seen = normalized_clip(opened.clip(key), skeleton, settings)
    # Of a long clip its first window.
    which = f", the first of {len(points)} windows" if len(points) > 1 else ""
    points, seen = points[:1], seen[:1]
    if not seen.any():
        which += ", which shows nobody"
    mirror = torch.as_tensor(np.asarray(skeleton.mirror))

    def view(strengths: ViewConfig, number: int) -> Clip:
        generator = torch.Generator().manual_seed(seed + number)
        return _clip(*augment(points, seen, strengths, skeleton.parts, mirror, generator), skeleton)

    rows = {f"{key}: as the encoder reads it{which}": _clip(points[..., :2], seen, skeleton)}
    rows |= {f"view {which}": view(config, which) for which in (1, 2)}
    for title, names in _ALONE.items():
        given = {name: getattr(config, name) for name in names}
        if any(given.values()):
            shown = {name: 1.0 if name in _CHANCES else value for name, value in given.items()}
            said = ", ".join(f"{name} {value:g}" for name, value in given.items())
            rows[f"{title} alone ({said})"] = view(replace(_NOTHING, **shown), 1)
    extents = [drawn_extent(clip) for clip in rows.values()]
    extent = (
        np.min([low for low, _ in extents], axis=0),
        np.max([high for _, high in extents], axis=0),
    )
    plot_strips(list(rows.values()), list(rows), out, frames, extent=extent)
    return ShownViews(list(rows.values()), list(rows))


def _clip(
    points: Float[Tensor, "1 T V 2"], seen: Float[Tensor, "1 T V"], skeleton: Skeleton
) -> Clip:
    """One window as a clip, to be drawn."""
    known = seen[0].numpy().astype(np.float32)
    xyz = np.zeros((*known.shape, 3), np.float32)
    xyz[..., :2] = points[0].numpy()
    xyz[known == 0] = np.nan
    there = [(known[:, where] > 0).any(axis=1) for where in skeleton.parts.values()]
    return Clip(
        key="view",
        points=xyz,
        confidence=known,
        time=np.linspace(0, 1, len(known)),
        source=np.where(np.stack(there, axis=1), IMPORTED, MISSING).astype(np.uint8),
        width=0,
        height=0,
        skeleton=skeleton,
    )
