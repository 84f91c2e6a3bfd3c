"""What a store holds and how well each part was seen: over all, per signer and per sign."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from poseprep.clip import MISSING
from poseprep.store import KeypointStore


@dataclass(frozen=True)
class Coverage:
    """How often each part was found in the frames of a group of clips.

    Attributes:
        found: part → share of the group's frames, 0..1.
    """

    name: str
    clips: int
    frames: int
    found: dict[str, float]


@dataclass(frozen=True)
class Description:
    """A store, in figures.

    Attributes:
        seconds: of video, all clips together.
        sizes: (width, height) → clips.
        fps: lowest and highest nominal frame rate.
        signs, signers, splits: name → clips; the empty name stands for unknown.
        by_signer: one row for each known signer.
    """

    clips: int
    frames: int
    seconds: float
    sizes: dict[tuple[int, int], int]
    fps: tuple[float, float]
    signs: dict[str, int]
    signers: dict[str, int]
    splits: dict[str, int]
    total: Coverage
    by_signer: list[Coverage]


def describe_store(store: KeypointStore) -> Description:
    """Figures of a store; reads no points."""
    found = {part: store.part_source(part) != MISSING for part in store.skeleton.parts}
    clip_of_frame = np.repeat(np.arange(len(store.keys)), store.lengths)

    def coverage(name: str, clips: np.ndarray) -> Coverage:
        frames = clips[clip_of_frame]
        shares = {
            part: float(where[frames].mean()) if frames.any() else 0.0
            for part, where in found.items()
        }
        return Coverage(name, int(clips.sum()), int(frames.sum()), shares)

    table = store.columns
    rates = table["fps"] if len(store.keys) else np.zeros(1)
    return Description(
        clips=len(store.keys),
        frames=store.frames,
        seconds=float((store.lengths / np.maximum(table["fps"], 1e-9))[table["fps"] > 0].sum()),
        sizes=dict(Counter(zip(table["width"].tolist(), table["height"].tolist(), strict=True))),
        fps=(float(rates.min()), float(rates.max())),
        signs=dict(Counter(store.signs.tolist())),
        signers=dict(Counter(store.signers.tolist())),
        splits=dict(Counter(store.splits.tolist())),
        total=coverage("all", np.ones(len(store.keys), bool)),
        by_signer=[
            coverage(signer, store.signers == signer)
            for signer in sorted(set(store.signers) - {""})
        ],
    )
