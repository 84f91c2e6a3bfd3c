"""Clips in which hands are hard to see: where MediaPipe loses them, and what is true all the same.

They measure how well lost hands are recovered (docs/recovery.md). Each kind is a way of both hands
through a few poses, and how it is filmed. Odd signers act with the left hand, even ones with
the right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from poseprep.clip import MISSING, Clip
from poseprep.signer.figure import figure
from poseprep.signer.hand import HANDSHAPES, Handshape, blend, unit
from poseprep.signer.perform import SIDES, Performance
from poseprep.signer.person import Signer, make_signer, stream
from poseprep.signer.render import render
from poseprep.signer.signs import REST, eased
from poseprep.signer.truth import true_clip
from poseprep.skeleton import HOLISTIC

FPS = 25.0
WIDTH, HEIGHT = 640, 480
VISIBLE_JOINTS = 8
"""A hand of which fewer joints lie in the picture counts as not there."""

_SUBFRAMES = 5  # of a blurred picture
_GAMMA = 1.9  # light is what adds up while the shutter is open, not grey values


class Pose(NamedTuple):
    """A hand at one moment, in its side's axes: out, down, front (metres)."""

    wrist: tuple[float, float, float]
    distal: tuple[float, float, float] = (-0.1, -1.0, 0.15)
    palmar: tuple[float, float, float] = (0.0, 0.1, 1.0)
    shape: str = "flat"


_REST = Pose(REST.wrist, REST.distal, REST.palmar, "relaxed")
_HANGING = Pose((0.24, 0.53, 0.05), (0.02, 1.0, 0.05), (-1.0, 0.0, 0.15), "relaxed")
_BACK = (0.0, 0.0, -1.0)  # the back of the hand to the viewer


@dataclass(frozen=True)
class Kind:
    """What the acting and the other hand do, and how it is filmed.

    Attributes:
        acting, other: poses, at equal times from the start to the end.
        exposure: how long the shutter is open, as a share of the time between two frames.
        nearness: how large the signer appears; 1 is as in ordinary clips.
        light: of an ordinary picture's.
        noise: standard deviation, grey values of 0..255.
    """

    says: str
    acting: tuple[Pose, ...]
    other: tuple[Pose, ...] = (_REST,)
    seconds: float = 2.4
    exposure: float = 0.0
    nearness: float = 1.0
    light: float = 1.0
    noise: float = 0.0


def _again(*poses: Pose, times: int) -> tuple[Pose, ...]:
    return poses * times


HARD: dict[str, Kind] = {
    "blur": Kind(
        "fast signing, blurred by its motion",
        _again(
            Pose((0.30, 0.10, 0.20), shape="spread"),
            Pose((0.05, 0.22, 0.22), shape="fist"),
            times=5,
        ),
        _again(Pose((0.20, 0.25, 0.2)), Pose((0.28, 0.05, 0.2), shape="point"), times=4),
        exposure=0.8,
    ),
    "over_face": Kind(
        "a hand before the face, open and closed",
        (
            _REST,
            Pose((0.03, -0.05, 0.24), (0.0, -1.0, 0.1), _BACK, "flat"),
            Pose((0.03, -0.05, 0.24), (0.0, -1.0, 0.1), _BACK, "flat"),
            Pose((0.05, -0.08, 0.24), (-0.4, -0.9, 0.1), _BACK, "fist"),
            Pose((0.02, -0.14, 0.24), (-0.2, -1.0, 0.1), (0.1, 0.0, 1.0), "two"),
            Pose((0.02, -0.14, 0.24), (-0.2, -1.0, 0.1), (0.1, 0.0, 1.0), "two"),
            _REST,
        ),
    ),
    "half_out": Kind(
        "hands that leave the picture and come back",
        (
            Pose((0.25, 0.1, 0.2)),
            Pose((0.50, 0.1, 0.1), (0.8, -0.6, 0.1)),
            Pose((0.60, 0.12, 0.05), (1.0, -0.2, 0.1)),
            Pose((0.46, 0.05, 0.1), (0.6, -0.8, 0.1), shape="spread"),
            Pose((0.25, 0.1, 0.2), shape="spread"),
        ),
        (
            Pose((0.2, 0.15, 0.2)),
            Pose((0.2, 0.36, 0.18), (-0.2, 1.0, 0.1), _BACK),
            _HANGING,
            Pose((0.2, 0.34, 0.18), (-0.4, 0.9, 0.1), _BACK),
        ),
        seconds=3.0,
        nearness=1.2,
    ),
    "resting": Kind(
        "hands at rest, partly below the edge",
        (
            Pose((0.10, 0.34, 0.20), (-0.9, 0.3, 0.1), _BACK, "relaxed"),
            Pose((0.10, 0.36, 0.20), (-0.9, 0.4, 0.1), _BACK, "relaxed"),
        ),
        (Pose((0.16, 0.38, 0.18), (-0.5, 0.8, 0.1), _BACK, "relaxed"),),
        nearness=1.15,
        seconds=2.0,
    ),
    "gone": Kind(
        "one hand below the picture all the time",
        (Pose((0.2, 0.12, 0.2), shape="two"), Pose((0.28, 0.02, 0.2), shape="spread"), _REST),
        (_HANGING,),
        nearness=1.3,
        seconds=2.0,
    ),
    "crossing": Kind(
        "hands that cross and lie on each other",
        (
            _REST,
            Pose((-0.05, 0.12, 0.27), (-0.5, -0.85, 0.1), _BACK, "fist"),
            Pose((-0.06, 0.14, 0.27), (-0.6, -0.8, 0.1), _BACK, "flat"),
            Pose((0.02, 0.22, 0.25), (-0.9, -0.4, 0.1), _BACK, "flat"),
            _REST,
        ),
        (
            _REST,
            Pose((-0.05, 0.15, 0.19), (-0.5, -0.85, 0.1), _BACK, "fist"),
            Pose((-0.06, 0.17, 0.19), (-0.6, -0.8, 0.1), _BACK, "flat"),
            Pose((0.02, 0.25, 0.18), (-0.9, -0.2, 0.1), _BACK, "flat"),
            _REST,
        ),
    ),
    "edge_on": Kind(
        "hands seen from their edge",
        (
            Pose((0.2, 0.2, 0.2), (-0.3, -0.5, 0.8), (-1.0, 0.0, 0.0)),
            Pose((0.15, 0.1, 0.2), (-0.2, -0.2, 1.0), (-1.0, 0.0, 0.1), "point"),
            Pose((0.25, 0.15, 0.2), (0.0, -1.0, 0.1), (-1.0, 0.0, 0.0)),
        ),
        (
            Pose((0.2, 0.2, 0.2), (-0.1, -0.1, 1.0), (0.0, 1.0, 0.1), "fist"),
            Pose((0.2, 0.15, 0.2), (-0.2, 0.1, 1.0), (0.0, 1.0, 0.0)),
        ),
    ),
    "small": Kind(
        "a signer far away",
        (Pose((0.2, 0.12, 0.2)), Pose((0.3, 0.0, 0.2), shape="fist"), Pose((0.1, 0.2, 0.2)), _REST),
        nearness=0.42,
    ),
    "dim": Kind(
        "little light, and a noisy camera",
        (Pose((0.2, 0.12, 0.2)), Pose((0.3, 0.0, 0.2), shape="ell"), Pose((0.1, 0.2, 0.2)), _REST),
        exposure=0.6,
        light=0.08,
        noise=6.0,
    ),
}


@dataclass(frozen=True)
class HardTake:
    """One hard clip: which kind, by which signer of which seed."""

    kind: str
    signer: int
    seed: int = 0

    @property
    def key(self) -> str:
        """Its path below the folder of videos, and its key in a store."""
        return f"{self.kind}/signer{self.signer + 1}_{self.seed}.mp4"


def hard_takes(signers: int = 4, seed: int = 0) -> list[HardTake]:
    """Every kind by every signer, in the order of their keys."""
    takes = [HardTake(kind, signer, seed) for kind in HARD for signer in range(signers)]
    return sorted(takes, key=lambda take: take.key)


def draw_hard(take: HardTake) -> tuple[Iterator[np.ndarray], Clip]:
    """The frames (H, W, 3) RGB of a hard clip, and the true joints in them.

    A hand with fewer than `VISIBLE_JOINTS` in the picture is missing in the truth; the other
    points are always told, outside the picture, too.
    """
    kind = HARD[take.kind]
    signer = _filmed(make_signer(take.signer, take.seed), kind.nearness)
    time = np.arange(round(kind.seconds * FPS)) / FPS
    shutter = kind.exposure / FPS * np.linspace(0, 1, _SUBFRAMES) if kind.exposure else np.zeros(1)
    moments = (time[:, None] + shutter).ravel()
    performance = _perform(kind, signer, moments, kind.seconds, take)
    noise = stream(take.seed, "hard noise", take.key)
    pictures = render(figure(performance, signer), WIDTH, HEIGHT, noise)
    middle = slice(len(shutter) // 2, None, len(shutter))
    still = figure(_at(performance, middle), signer)
    truth = true_clip(
        still,
        signer.view(WIDTH, HEIGHT),
        time,
        key=take.key,
        fps=FPS,
        sign=take.kind,
        signer=signer.name,
    )
    return _filmed_frames(pictures, kind, len(shutter), noise), _without_hidden(truth)


def _filmed(signer: Signer, nearness: float) -> Signer:
    """The signer at another distance, the eyes at the same height of the picture."""
    span = signer.span / nearness
    return replace(signer, span=span, headroom=signer.headroom + 0.40 * (span - signer.span))


def _perform(
    kind: Kind,
    signer: Signer,
    moments: Float[np.ndarray, " M"],
    seconds: float,
    take: HardTake,
) -> Performance:
    rng = stream(take.seed, "hard", take.key)
    phase = moments / seconds
    hands = [_way(poses, signer, phase, rng) for poses in (kind.acting, kind.other)]
    if take.signer % 2 == 0:  # the order is left, right
        hands.reverse()
    mirror = np.stack([SIDES, np.ones(2), np.ones(2)], -1)
    wrist, distal, palmar = (np.stack([hand[i] for hand in hands], 1) * mirror for i in range(3))
    shape = Handshape(*(np.stack(pair, 1) for pair in zip(hands[0][3], hands[1][3], strict=True)))
    return Performance(moments, wrist, distal, palmar, shape, np.ones(len(moments)))


def _way(
    poses: tuple[Pose, ...], signer: Signer, phase: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Handshape]:
    """A hand's wrist, directions and shape at every phase, 0..1, of its way through the poses."""
    at = phase * (len(poses) - 1) if len(poses) > 1 else np.zeros_like(phase)
    before = np.minimum(at.astype(int), max(0, len(poses) - 2))
    share = eased(np.clip(at - before, 0, 1))[:, None]
    after = np.minimum(before + 1, len(poses) - 1)

    def moved(field: int, spread: float) -> np.ndarray:
        values = np.array([pose[field] for pose in poses], float)
        values += rng.normal(0, spread, values.shape)
        return (1 - share) * values[before] + share * values[after]

    wrist = moved(0, 0.012) + np.array(signer.reach)
    # A slow sway, as nobody keeps quite still.
    sway = np.sin(2 * np.pi * (phase[:, None] * rng.uniform(0.5, 2, 3) + rng.random(3)))
    shapes = Handshape(
        *(np.stack(values) for values in zip(*(HANDSHAPES[p.shape] for p in poses), strict=True))
    )
    start, end = (Handshape(*(part[i] for part in shapes)) for i in (before, after))
    return (
        wrist + 0.004 * sway,
        unit(moved(1, 0.08)),
        unit(moved(2, 0.05)),
        blend(start, end, share[:, 0]),
    )


def _at(performance: Performance, moments: slice) -> Performance:
    """Some moments of a performance."""
    fields = {name: value[moments] for name, value in vars(performance).items() if name != "shape"}
    return replace(
        performance, **fields, shape=Handshape(*(part[moments] for part in performance.shape))
    )


def _filmed_frames(
    pictures: Iterator[np.ndarray], kind: Kind, subframes: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """What the camera makes of the light that falls in while its shutter is open."""
    for first in pictures:
        light = (first / np.float32(255)) ** np.float32(_GAMMA)
        for _ in range(subframes - 1):
            light += (next(pictures) / np.float32(255)) ** np.float32(_GAMMA)
        grey = (kind.light * light / subframes) ** np.float32(1 / _GAMMA) * 255
        if kind.noise:
            grey += rng.normal(0, kind.noise, grey.shape)
        yield np.clip(grey + 0.5, 0, 255).astype(np.uint8)


def _without_hidden(truth: Clip) -> Clip:
    """The truth without hands that are out of the picture."""
    points, confidence = truth.points.copy(), truth.confidence.copy()
    source = truth.source.copy()
    inside = (truth.points[..., :2] >= 0).all(-1)
    inside &= (truth.points[..., 0] < WIDTH / HEIGHT) & (truth.points[..., 1] < 1)
    for part, (name, where) in enumerate(HOLISTIC.parts.items()):
        if name.endswith("_hand"):
            hidden = inside[:, where].sum(axis=1) < VISIBLE_JOINTS
            points[hidden, where], confidence[hidden, where] = np.nan, 0
            source[hidden, part] = MISSING
    return replace(truth, points=points, confidence=confidence, source=source)
