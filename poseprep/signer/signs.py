"""The vocabulary: signs as sign linguistics describes them, by what their parts are.

A sign is a handshape, a location and a movement, and what the second hand does (Stokoe 1960,
*Sign Language Structure*). The names say these parts; no sign here claims to be a word of any
sign language. Palm and fingers face where the location lets them be seen: every location keeps
clear of what MediaPipe cannot follow (edge-on palms, hands before each other or the face,
fingers down while the forearm points up).

Places and movements are written for one hand in its own side's axes: *out* from the body's
midline, *down*, and to the *front*; metres of a nominal signer. A mirror image needs no other
table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from poseprep.errors import InputError
from poseprep.signer.hand import HANDSHAPES


class Location(NamedTuple):
    """Where the wrist is and how the hand is turned, in (out, down, front)."""

    wrist: tuple[float, float, float]
    distal: tuple[float, float, float]
    palmar: tuple[float, float, float]


LOCATIONS: dict[str, Location] = {
    "temple": Location((0.215, -0.07, 0.18), (-0.10, -1.0, 0.10), (0.0, 0.15, 1.0)),
    "shoulder": Location((0.215, 0.08, 0.20), (0.0, -1.0, 0.15), (0.0, 0.15, 1.0)),
    "chest": Location((0.145, 0.17, 0.20), (-0.35, -0.9, 0.15), (0.10, 0.10, 1.0)),
    "belly": Location((0.165, 0.29, 0.20), (-0.35, -0.85, 0.20), (0.10, 0.10, 1.0)),
    "side": Location((0.310, 0.14, 0.17), (0.20, -0.95, 0.10), (0.0, 0.10, 1.0)),
}

TWO_HANDS_OUT = 0.205
"""Two hands that act make room for each other: neither location is nearer to the midline."""

REST = Location((0.215, 0.375, 0.17), (-0.62, 0.70, 0.12), (0.10, 0.05, -1.0))
"""Hands before the lower belly, their backs to the viewer, as signers wait between signs."""


class Motion(NamedTuple):
    """A movement sampled at N moments of the stroke."""

    shift: Float[np.ndarray, "N 3"]
    """Wrist's way from the location: out, down, front; metres at amplitude 1."""
    tilt: Float[np.ndarray, " N"]
    """Fingers' turn in the picture plane, radians, outwards."""
    closing: Float[np.ndarray, " N"]
    """How far the hand has closed to a fist, 0..1."""


Phase = Float[np.ndarray, " N"]


def _motion(
    phase: Phase,
    out: Phase | float = 0.0,
    down: Phase | float = 0.0,
    tilt: Phase | float = 0.0,
    closing: Phase | float = 0.0,
) -> Motion:
    zero = np.zeros_like(phase)
    return Motion(np.stack([out + zero, down + zero, zero], -1), tilt + zero, closing + zero)


def eased(phase: Phase) -> Phase:
    """0..1 to 0..1, slow at both ends."""
    return phase * phase * (3 - 2 * phase)


def _swing(phase: Phase, turns: int) -> Phase:
    return np.sin(2 * np.pi * turns * phase)


MOVEMENTS: dict[str, Callable[[Phase], Motion]] = {
    "hold": lambda p: _motion(p),
    "down": lambda p: _motion(p, down=0.14 * (eased(p) - 0.5)),
    "up": lambda p: _motion(p, down=-0.14 * (eased(p) - 0.5)),
    "out": lambda p: _motion(p, out=0.13 * (eased(p) - 0.25)),
    "in": lambda p: _motion(p, out=-0.13 * (eased(p) - 0.75)),
    "circle": lambda p: _motion(
        p, out=0.055 * _swing(eased(p), 1), down=-0.055 * np.cos(2 * np.pi * eased(p))
    ),
    "arc": lambda p: _motion(
        p, out=0.13 * (eased(p) - 0.25), down=0.03 - 0.07 * np.sin(np.pi * eased(p))
    ),
    "tap": lambda p: _motion(p, down=0.035 * _swing(p, 2)),
    "shake": lambda p: _motion(p, out=0.035 * _swing(p, 2)),
    "wave": lambda p: _motion(p, tilt=np.deg2rad(22) * _swing(p, 2)),
    "close": lambda p: _motion(p, closing=eased(np.clip(1.6 * p - 0.3, 0, 1))),
    "open": lambda p: _motion(p, closing=1 - eased(np.clip(1.6 * p - 0.3, 0, 1))),
}
"""Movement by phase, 0 at the stroke's start and 1 at its end."""

SECOND_HANDS = ("one", "both", "alternating")
"""The second hand rests, does the same in mirror image, or moves the opposite way."""


@dataclass(frozen=True)
class Sign:
    """One sign by its phonological parameters.

    Raises:
        InputError: a parameter is none of those in the tables.
    """

    handshape: str
    location: str
    movement: str
    second_hand: str = "one"

    def __post_init__(self) -> None:
        for parameter, known in PARAMETERS.items():
            value = getattr(self, parameter)
            if value not in known:
                raise InputError(f"{parameter} {value!r} is not known; use {', '.join(known)}")

    @property
    def name(self) -> str:
        """Safe as a folder's name, e.g. `flat-chest-down-both`."""
        parts = [self.handshape, self.location, self.movement]
        return "-".join(parts if self.second_hand == "one" else [*parts, self.second_hand])


PARAMETERS: dict[str, tuple[str, ...]] = {
    "handshape": tuple(HANDSHAPES),
    "location": tuple(LOCATIONS),
    "movement": tuple(MOVEMENTS),
    "second_hand": SECOND_HANDS,
}

# Neighbours in this order differ in little, so that a small vocabulary is already full of
# minimal pairs; later signs add new parts and new pairs in equal measure.
SIGNS: tuple[Sign, ...] = (
    Sign("flat", "chest", "down"),
    Sign("point", "chest", "down"),
    Sign("flat", "shoulder", "down"),
    Sign("flat", "chest", "circle"),
    Sign("flat", "chest", "down", "both"),
    Sign("flat", "temple", "down"),
    Sign("point", "temple", "circle"),
    Sign("two", "temple", "circle"),
    Sign("spread", "side", "wave"),
    Sign("spread", "side", "wave", "both"),
    Sign("spread", "side", "shake"),
    Sign("spread", "shoulder", "close"),
    # 12
    Sign("spread", "shoulder", "open"),
    Sign("fist", "belly", "tap"),
    Sign("ell", "shoulder", "out"),
    Sign("ell", "shoulder", "out", "both"),
    Sign("flat", "chest", "circle", "alternating"),
    Sign("flat", "chest", "circle", "both"),
    Sign("horns", "shoulder", "shake"),
    Sign("three", "temple", "circle"),
    Sign("fist", "chest", "tap"),
    Sign("claw", "belly", "out", "both"),
    Sign("two", "chest", "down"),
    Sign("flat", "temple", "arc"),
    # 24
    Sign("horns", "temple", "shake"),
    Sign("three", "shoulder", "up"),
    Sign("ell", "shoulder", "up"),
    Sign("claw", "belly", "up", "alternating"),
    Sign("bent", "shoulder", "tap"),
    Sign("bent", "chest", "tap", "both"),
    Sign("fist", "shoulder", "tap", "alternating"),
    Sign("two", "side", "arc"),
    Sign("point", "side", "arc"),
    Sign("point", "side", "hold"),
    Sign("flat", "belly", "in", "both"),
    Sign("flat", "belly", "up", "both"),
)


def minimal_pairs(signs: Iterable[Sign] = SIGNS) -> list[tuple[Sign, Sign, str]]:
    """All pairs of signs that differ in one parameter, and that parameter's name."""
    pairs = []
    for first, second in combinations(signs, 2):
        differing = [
            field.name
            for field in fields(Sign)
            if getattr(first, field.name) != getattr(second, field.name)
        ]
        if len(differing) == 1:
            pairs.append((first, second, differing[0]))
    return pairs
