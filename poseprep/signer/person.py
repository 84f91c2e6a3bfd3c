"""Signers: how one person differs from another, in body, looks, place and habits."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from poseprep.signer.raster import View

Colour = tuple[float, float, float]
"""Reflectance 0..1: red, green, blue."""

# From the lightest to the darkest of the Monk Skin Tone scale's range, as reflectances.
SKIN_TONES: tuple[Colour, ...] = (
    (0.88, 0.66, 0.54),
    (0.80, 0.56, 0.44),
    (0.72, 0.49, 0.36),
    (0.60, 0.38, 0.26),
    (0.46, 0.28, 0.18),
    (0.34, 0.20, 0.13),
    (0.25, 0.145, 0.095),
)
HAIR_COLOURS: tuple[Colour, ...] = (
    (0.06, 0.04, 0.028),
    (0.025, 0.022, 0.022),
    (0.16, 0.085, 0.04),
    (0.33, 0.22, 0.10),
    (0.42, 0.41, 0.40),
)
# Sign videos are recorded in plain clothes that stand out from the skin: dark on lighter skin,
# light on darker skin.
DARK_CLOTHES: tuple[Colour, ...] = (
    (0.10, 0.13, 0.20),
    (0.06, 0.06, 0.07),
    (0.05, 0.16, 0.13),
    (0.16, 0.05, 0.10),
    (0.06, 0.12, 0.30),
    (0.14, 0.09, 0.05),
)
LIGHT_CLOTHES: tuple[Colour, ...] = (
    (0.62, 0.66, 0.70),
    (0.36, 0.52, 0.66),
    (0.74, 0.70, 0.60),
    (0.46, 0.62, 0.50),
    (0.66, 0.50, 0.62),
    (0.72, 0.46, 0.32),
)
BACKGROUNDS: tuple[Colour, ...] = (
    (0.62, 0.66, 0.68),
    (0.70, 0.68, 0.62),
    (0.36, 0.46, 0.54),
    (0.42, 0.52, 0.46),
    (0.55, 0.50, 0.56),
)


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """The random stream of one named thing; no other thing's drawing moves it."""
    return np.random.default_rng([seed, *(zlib.crc32(str(name).encode()) for name in names)])


@dataclass(frozen=True)
class Signer:
    """A person who signs.

    Lengths are metres of a nominal body; how large the person appears is `span`, the height of
    the picture in those metres at the person's distance.
    """

    name: str = "signer1"
    left_handed: bool = False
    # body
    shoulder: float = 0.18  # from the midline to the shoulder joint
    upper_arm: float = 0.275
    forearm: float = 0.245
    hand: float = 1.05
    head: float = 1.0
    # looks
    skin: Colour = SKIN_TONES[1]
    cloth: Colour = DARK_CLOTHES[0]
    hair: Colour = HAIR_COLOURS[0]
    long_hair: bool = False
    long_sleeves: bool = True
    background: Colour = BACKGROUNDS[0]
    # place in the picture
    span: float = 1.04
    aside: float = 0.0  # of the midline from the picture's middle, metres
    headroom: float = 0.42  # above the shoulders, metres
    # habits
    speed: float = 1.0
    amplitude: float = 1.0
    tremor: float = 0.002  # metres, standard deviation
    reach: tuple[float, float, float] = (0.0, 0.0, 0.0)  # shifts every location
    tilt: float = 0.0  # turns every hand outwards, radians
    laxness: float = 0.0  # bends straight fingers, degrees

    def view(self, width: int, height: int) -> View:
        """The camera that films this person."""
        scale = height / self.span
        return View(width, height, scale, self.aside - 0.5 * width / scale, -self.headroom)


def make_signer(number: int, seed: int = 0) -> Signer:
    """Person `number` (0, 1, ...) of a seed. Every fourth is left-handed; skin tones alternate."""
    rng = stream(seed, "signer", number)

    def about(middle: float, spread: float) -> float:
        return float(middle + spread * rng.uniform(-1, 1))

    shuffled = stream(seed, "colours").integers(1000, size=3).tolist()

    def one_of(colours: tuple[Colour, ...], start: int, stride: int) -> Colour:
        return colours[(start + stride * number) % len(colours)]

    # Strides coprime with the number of colours: few signers already span the whole range.
    tone = (1 + 3 * number) % len(SKIN_TONES)
    clothes = LIGHT_CLOTHES if tone >= 4 else DARK_CLOTHES
    size = about(1.0, 0.05)
    return Signer(
        name=f"signer{number + 1}",
        left_handed=number % 4 == 1,
        shoulder=about(0.18, 0.015),
        upper_arm=about(0.275, 0.012) * size,
        forearm=about(0.245, 0.010) * size,
        hand=about(1.05, 0.06),
        head=about(1.0, 0.05),
        skin=SKIN_TONES[tone],
        cloth=one_of(clothes, shuffled[0], 1),
        hair=one_of(HAIR_COLOURS, shuffled[1], 2),
        long_hair=bool(rng.random() < 0.5),
        long_sleeves=bool(rng.random() < 0.6),
        background=one_of(BACKGROUNDS, shuffled[2], 3),
        span=about(1.06, 0.08),
        aside=about(0.0, 0.04),
        headroom=about(0.435, 0.015),
        speed=about(1.0, 0.12),
        amplitude=about(1.0, 0.20),
        tremor=about(0.0025, 0.0012),
        reach=(about(0.0, 0.02), about(0.0, 0.02), about(0.0, 0.01)),
        tilt=about(0.0, np.deg2rad(8)),
        laxness=about(5.0, 5.0),
    )
