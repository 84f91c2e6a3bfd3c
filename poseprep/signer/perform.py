"""How a signer performs a sign: where both hands are at every moment.

Each performance is rest → sign → rest. The way from rest and back is transition and says nothing
about the sign; its middle, the *stroke*, carries the meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from poseprep.signer.hand import HANDSHAPES, Handshape, blend, unit
from poseprep.signer.person import Signer, stream
from poseprep.signer.signs import (
    LOCATIONS,
    MOVEMENTS,
    REST,
    TWO_HANDS_OUT,
    Location,
    Motion,
    Sign,
    eased,
)

LEFT, RIGHT = 0, 1
SIDES = np.array((1.0, -1.0))
"""Where the signer's left and right are in the picture, which shows the signer from the front."""

NOMINAL_SHOULDER = 0.18


@dataclass(frozen=True)
class Performance:
    """Both hands over T frames; hands in the order left, right; world metres.

    The wrists are wishes: an arm that is too short comes as near as it can.
    """

    time: Float[np.ndarray, " T"]
    wrist: Float[np.ndarray, "T 2 3"]
    distal: Float[np.ndarray, "T 2 3"]
    palmar: Float[np.ndarray, "T 2 3"]
    shape: Handshape
    presence: Float[np.ndarray, " T"]
    """How much of the sign there is: 0 at rest, 1 in the stroke, between them in transition."""


class _Timing(NamedTuple):
    """Seconds that the parts of a performance take."""

    before: float
    rise: float
    stroke: float
    fall: float
    after: float


class _HandPath(NamedTuple):
    """One hand in its own side's axes: out, down, front."""

    wrist: Float[np.ndarray, "T 3"]
    distal: Float[np.ndarray, "T 3"]
    palmar: Float[np.ndarray, "T 3"]
    shape: Handshape


def perform(
    sign: Sign, signer: Signer, repetition: int = 1, seed: int = 0, fps: float = 25.0
) -> Performance:
    """One performance; it depends on these arguments alone.

    Repetitions differ in timing, amplitude, place, turn of the hand and tremor.
    """
    rng = stream(seed, "perform", sign.name, signer.name, repetition)
    timing = _timing(signer, rng)
    time = np.arange(round(sum(timing) * fps)) / fps
    presence, phase = _course(time, timing)
    motion = MOVEMENTS[sign.movement](phase)
    motion = motion._replace(shift=motion.shift * signer.amplitude * rng.uniform(0.85, 1.15))

    acting = _path(sign, signer, motion, presence, rng)
    if sign.second_hand == "one":
        other = _path(sign, signer, motion, 0 * presence, rng)
    else:
        sense = -1.0 if sign.second_hand == "alternating" else 1.0
        opposite = motion._replace(shift=sense * motion.shift, tilt=sense * motion.tilt)
        other = _path(sign, signer, opposite, presence, rng)
    left, right = (acting, other) if signer.left_handed else (other, acting)
    return Performance(time, *_to_world(left, right, signer, rng), presence)


def _timing(signer: Signer, rng: np.random.Generator) -> _Timing:
    ranges = ((0.08, 0.20), (0.20, 0.30), (0.44, 0.60), (0.20, 0.30), (0.06, 0.18))
    return _Timing(*(rng.uniform(*bounds) / signer.speed for bounds in ranges))


def _course(
    time: Float[np.ndarray, " T"], timing: _Timing
) -> tuple[Float[np.ndarray, " T"], Float[np.ndarray, " T"]]:
    """Presence of the sign and phase of its stroke, both 0..1, at every moment."""
    begin = timing.before + timing.rise
    end = begin + timing.stroke
    rising = np.clip((time - timing.before) / timing.rise, 0, 1)
    falling = np.clip((time - end) / timing.fall, 0, 1)
    phase = np.clip((time - begin) / timing.stroke, 0, 1)
    return eased(rising) * (1 - eased(falling)), phase


def _path(
    sign: Sign,
    signer: Signer,
    motion: Motion,
    presence: Float[np.ndarray, " T"],
    rng: np.random.Generator,
) -> _HandPath:
    """One hand's way from rest through the sign's motion and back."""
    place = LOCATIONS[sign.location]
    if sign.second_hand != "one":
        out, down, front = place.wrist
        place = place._replace(wrist=(max(out, TWO_HANDS_OUT), down, front))
    resting, acting = (
        _at(location, signer, sigma, rng) for location, sigma in ((REST, 0.008), (place, 0.012))
    )
    share = presence[:, None]
    on_the_way = share * (1 - share)
    wrist = (1 - share) * resting.wrist + share * (acting.wrist + motion.shift)
    # Hands on their way swing outwards, so that they do not cross.
    wrist = wrist + on_the_way * np.array((0.24, 0, 0))

    tilt = motion.tilt + signer.tilt + rng.normal(0, np.deg2rad(4))
    distal = (1 - share) * resting.distal + share * _turned(acting.distal, tilt)
    palmar = (1 - share) * resting.palmar + share * acting.palmar
    # Turning over, a forearm brings the thumb up: the palm passes through facing inwards.
    palmar = palmar + on_the_way * np.array((-2.0, 0, 0))

    stroke = blend(HANDSHAPES[sign.handshape], HANDSHAPES["fist"], motion.closing)
    shape = blend(HANDSHAPES["relaxed"], stroke, presence)
    bend = np.clip(signer.laxness + rng.normal(0, 3), 0, None) * np.array((1.0, 1.2, 0.6, 0))
    lax = np.where(shape.fingers < 60, bend * presence[:, None, None], 0)
    return _HandPath(wrist, unit(distal), palmar, shape._replace(fingers=shape.fingers + lax))


class _Place(NamedTuple):
    wrist: Float[np.ndarray, "3"]
    distal: Float[np.ndarray, "3"]
    palmar: Float[np.ndarray, "3"]


def _at(location: Location, signer: Signer, sigma: float, rng: np.random.Generator) -> _Place:
    """A location on this signer's body, met as exactly as people meet it (`sigma`, metres)."""
    wrist = np.array(location.wrist) + signer.reach + rng.normal(0, sigma, 3)
    wrist[0] *= signer.shoulder / NOMINAL_SHOULDER
    return _Place(wrist, unit(np.array(location.distal)), unit(np.array(location.palmar)))


def _turned(
    direction: Float[np.ndarray, "3"], angle: Float[np.ndarray, " T"]
) -> Float[np.ndarray, "T 3"]:
    """The direction turned in the picture plane; a positive angle brings fingers up outwards."""
    out, down, front = direction
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack(
        [out * cos - down * sin, out * sin + down * cos, np.full_like(angle, front)], -1
    )


def _to_world(
    left: _HandPath, right: _HandPath, signer: Signer, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Handshape]:
    """Both hands in the world's axes, trembling."""
    mirror = np.stack([SIDES, np.ones(2), np.ones(2)], -1)  # (2, 3)
    wrist, distal, palmar = (
        np.stack([getattr(left, name), getattr(right, name)], 1) * mirror
        for name in ("wrist", "distal", "palmar")
    )
    shape = Handshape(*(np.stack(pair, 1) for pair in zip(left.shape, right.shape, strict=True)))
    return wrist + _tremor(wrist.shape, signer.tremor, rng), distal, palmar, shape


def _tremor(
    shape: tuple[int, ...], sigma: float, rng: np.random.Generator
) -> Float[np.ndarray, "T 2 3"]:
    """Smooth noise: muscles do not jump from frame to frame."""
    white = rng.standard_normal((shape[0] + 2, *shape[1:]))
    return sigma * (white[:-2] + 2 * white[1:-1] + white[2:]) / 6**0.5
