"""A small store of made-up signers, quick to write and easy to tell apart."""

from pathlib import Path

import numpy as np
import torch

from poseprep.clip import DETECTED, MISSING, Clip
from poseprep.skeleton import HOLISTIC, Skeleton
from poseprep.store import KeypointStore

# Tensors are tiny here: several threads would only wait for each other.
torch.set_num_threads(1)

SMALL_NAMES = (
    *("nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    *("left_wrist", "right_wrist"),
    *HOLISTIC.names[HOLISTIC.parts["left_hand"]],
    *HOLISTIC.names[HOLISTIC.parts["right_hand"]],
)
SMALL = HOLISTIC.select(SMALL_NAMES)
HAND = HOLISTIC.select(HOLISTIC.names[HOLISTIC.parts["right_hand"]])


def make_points(sign: int, signer: int, frames: int, skeleton: Skeleton, seed: int) -> np.ndarray:
    """(T, V, 3): a pose of the skeleton that moves as the sign does, by a signer of some size."""
    pose = np.random.default_rng(17).normal(size=(len(skeleton), 3)) * 0.1 + 0.5
    for name, x in (("left_shoulder", 0.6), ("right_shoulder", 0.4)):
        if name in skeleton:
            pose[skeleton.index(name)] = (x, 0.4, 0)
    random = np.random.default_rng(1000 * sign + 10 * signer + seed)
    phase = np.linspace(0, 1, frames)[:, None, None]
    way = np.random.default_rng(sign).normal(size=(1, len(skeleton), 3)) * 0.15
    moved = (
        pose + way * np.sin(np.pi * phase) + random.normal(size=(frames, len(skeleton), 3)) / 400
    )
    return (moved * (0.8 + 0.1 * (signer % 4)) + 0.02 * signer).astype(np.float32)


def write_store(
    path: Path,
    skeleton: Skeleton = SMALL,
    *,
    signs: int = 3,
    signers: int = 6,
    frames: int = 12,
    seed: int = 0,
    lost: float = 0.1,
    gone_from: int | None = None,
    change: dict[str, float] | None = None,
    **labels: object,
) -> Path:
    """Write signs × signers clips. `change` adds to the points of the named clips.

    A hand is gone in a share `lost` of the frames, and from frame `gone_from` on.

    `labels` are fields of every clip, or functions of (sign, signer) that give them.
    """
    landmarker = {"name": "made up", "version": "1"}
    with KeypointStore.create(
        path, skeleton=skeleton, settings={}, landmarker=landmarker
    ) as writer:
        for sign in range(signs):
            for signer in sorted(range(signers), key=str):  # keys must rise
                clip = _clip(sign, signer, frames, skeleton, seed, lost, gone_from, labels)
                offset = (change or {}).get(clip.key, 0.0)
                if offset:
                    points = clip.points.copy()
                    points[:, ::2] += offset
                    clip = Clip(**{**vars(clip), "points": points})
                writer.add(clip)
    return path


def _clip(
    sign: int,
    signer: int,
    frames: int,
    skeleton: Skeleton,
    seed: int,
    lost: float,
    gone_from: int | None,
    labels: dict[str, object],
) -> Clip:
    points = make_points(sign, signer, frames, skeleton, seed)
    confidence = np.ones(points.shape[:2], np.float32)
    random = np.random.default_rng(seed + 31 * sign + signer)
    source = np.full((frames, len(skeleton.parts)), DETECTED, np.uint8)
    for column, (part, where) in enumerate(skeleton.parts.items()):
        gone = random.random(frames) < lost
        if gone_from is not None:
            gone[gone_from:] = True
        gone &= part.endswith("hand")
        confidence[gone, where] = 0
        source[gone, column] = MISSING
    points[confidence == 0] = np.nan
    given = {name: v(sign, signer) if callable(v) else v for name, v in labels.items()}
    fields = {"sign": f"sign{sign}", "signer": f"signer{signer}", "fps": 25.0, **given}
    return Clip(
        key=f"sign{sign}/signer{signer}.mp4",
        points=points,
        confidence=confidence,
        time=np.arange(frames) / 25,
        source=source,
        width=320,
        height=240,
        skeleton=skeleton,
        **fields,  # type: ignore[arg-type]
    )
