"""A hand: its proportions, its handshapes and where its 21 joints lie.

Joints are MediaPipe's, in its order: wrist, then four for each of thumb, index, middle, ring and
pinky, from the palm to the tip. A hand's own axes are *distal* (from the wrist to the knuckles),
*radial* (to the thumb's side) and *palmar* (out of the palm); lengths are metres of a hand of
size 1, which is 0.19 m long.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

JOINTS = 21

KNUCKLES = np.array([(0.090, 0.027), (0.094, 0.006), (0.088, -0.014), (0.078, -0.032)])
"""(4, 2) distal and radial place of the knuckles of index, middle, ring and pinky."""

FINGER_BONES = np.array(
    [
        (0.043, 0.026, 0.021),
        (0.048, 0.030, 0.022),
        (0.044, 0.028, 0.022),
        (0.034, 0.021, 0.019),
    ]
)
"""(4, 3) lengths of the three bones of index, middle, ring and pinky."""

THUMB_ROOT = np.array((0.024, 0.024, 0.012))
THUMB_BONES = np.array((0.044, 0.033, 0.027))

RADII = np.array(
    [
        (0.0135, 0.0118, 0.0105, 0.0080),
        (0.0098, 0.0088, 0.0078, 0.0064),
        (0.0100, 0.0090, 0.0080, 0.0066),
        (0.0094, 0.0084, 0.0075, 0.0062),
        (0.0084, 0.0074, 0.0066, 0.0055),
    ]
)
"""(5, 4) thickness (radius) of thumb and fingers at their four joints."""


class Handshape(NamedTuple):
    """A handshape, or many of them with the same leading axes."""

    fingers: Float[np.ndarray, "*any 4 4"]
    """Index to pinky; flexion of the three joints and spread towards the thumb, degrees."""
    thumb: Float[np.ndarray, "*any 3 3"]
    """Directions of the thumb's three bones in the hand's own axes."""


_STRAIGHT = (4, 5, 4)
_CURLED = (82, 98, 62)
_BENT = (38, 46, 30)
_HOOKED = (12, 62, 44)
_TUCKED = ((0.72, 0.45, 0.55), (0.62, -0.25, 0.74), (0.38, -0.90, 0.22))
_ALONG = ((0.80, 0.42, 0.42), (0.90, 0.30, 0.30), (0.96, 0.22, 0.15))
_ABDUCTED = ((0.62, 0.74, 0.28), (0.68, 0.72, 0.12), (0.78, 0.62, 0.05))
_OUT = ((0.50, 0.82, 0.26), (0.36, 0.93, 0.10), (0.28, 0.96, 0.02))
_OPPOSED = ((0.62, 0.56, 0.55), (0.78, 0.40, 0.48), (0.90, 0.22, 0.38))


def _shape(index: tuple, middle: tuple, ring: tuple, pinky: tuple, thumb: tuple) -> Handshape:
    return Handshape(np.array((index, middle, ring, pinky), float), np.array(thumb, float))


HANDSHAPES: dict[str, Handshape] = {
    "relaxed": _shape(
        (18, 26, 14, 5),
        (22, 28, 16, 0),
        (26, 30, 18, -5),
        (30, 32, 18, -10),
        ((0.66, 0.62, 0.42), (0.76, 0.52, 0.38), (0.86, 0.42, 0.28)),
    ),
    "flat": _shape((*_STRAIGHT, 1), (*_STRAIGHT, 0), (*_STRAIGHT, -1), (*_STRAIGHT, -3), _ALONG),
    "spread": _shape(
        (*_STRAIGHT, 10), (*_STRAIGHT, 1), (*_STRAIGHT, -8), (*_STRAIGHT, -18), _ABDUCTED
    ),
    "fist": _shape((*_CURLED, 0), (*_CURLED, 0), (*_CURLED, 0), (*_CURLED, 2), _TUCKED),
    "point": _shape((*_STRAIGHT, 0), (*_CURLED, 0), (*_CURLED, 0), (*_CURLED, 2), _TUCKED),
    "two": _shape((*_STRAIGHT, 12), (*_STRAIGHT, -8), (*_CURLED, 0), (*_CURLED, 2), _TUCKED),
    "three": _shape((*_STRAIGHT, 12), (*_STRAIGHT, 0), (*_STRAIGHT, -12), (*_CURLED, 2), _TUCKED),
    "ell": _shape((*_STRAIGHT, 0), (*_CURLED, 0), (*_CURLED, 0), (*_CURLED, 2), _OUT),
    "horns": _shape((*_CURLED, 0), (*_CURLED, 0), (*_CURLED, 0), (*_STRAIGHT, -20), _OUT),
    "claw": _shape((*_HOOKED, 12), (*_HOOKED, 2), (*_HOOKED, -8), (*_HOOKED, -18), _ABDUCTED),
    "bent": _shape((*_BENT, 1), (*_BENT, 0), (*_BENT, -1), (*_BENT, -3), _OPPOSED),
}
"""Names describe the form; `ell` is thumb and index, `horns` thumb and pinky."""


def blend(start: Handshape, end: Handshape, share: Float[np.ndarray, "*any"]) -> Handshape:
    """Handshapes on the way from `start` (share 0) to `end` (share 1)."""
    weight = np.asarray(share)[..., None, None]
    return Handshape(*(a * (1 - weight) + b * weight for a, b in zip(start, end, strict=True)))


def unit(vectors: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any 3"]:
    """Vectors of length 1 in the same directions."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def hand_axes(
    distal: Float[np.ndarray, "*any 3"], palmar: Float[np.ndarray, "*any 3"], is_left: bool
) -> Float[np.ndarray, "*any 3 3"]:
    """The hand's axes as rows distal, radial, palmar.

    `palmar` need not be at right angles to `distal`; its part along `distal` is ignored.
    """
    distal = unit(distal)
    palmar = unit(palmar - distal * (palmar * distal).sum(-1, keepdims=True))
    radial = np.cross(distal, palmar) if is_left else np.cross(palmar, distal)
    return np.stack([distal, radial, palmar], axis=-2)


def hand_joints(shape: Handshape) -> Float[np.ndarray, "*any 21 3"]:
    """Joints of a hand of size 1 in its own axes, the wrist at the origin (forward kinematics)."""
    joints = np.zeros((*shape.fingers.shape[:-2], JOINTS, 3))
    joints[..., 1, :] = THUMB_ROOT
    thumb = unit(shape.thumb)
    for bone, length in enumerate(THUMB_BONES):
        joints[..., 2 + bone, :] = joints[..., 1 + bone, :] + thumb[..., bone, :] * length
    angles = np.deg2rad(shape.fingers)
    flexion = angles[..., :3].cumsum(-1)
    spread = angles[..., 3:]
    directions = np.stack(
        [np.cos(flexion) * np.cos(spread), np.cos(flexion) * np.sin(spread), np.sin(flexion)], -1
    )
    for finger, (knuckle, bones) in enumerate(zip(KNUCKLES, FINGER_BONES, strict=True)):
        first = 5 + 4 * finger
        joints[..., first, :2] = knuckle
        for bone, length in enumerate(bones):
            here = joints[..., first + bone, :]
            joints[..., first + bone + 1, :] = here + directions[..., finger, bone, :] * length
    return joints


class Capsule(NamedTuple):
    """Two ends in the hand's own axes and the radii there, for a hand of size 1."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    start_radius: float
    end_radius: float


# A palm of bones alone has gaps, and MediaPipe sees a rake: fill it.
PALM: tuple[Capsule, ...] = (
    Capsule((0.006, 0.013, 0), (0.0864, 0.027, -0.001), 0.0135, 0.0122),
    Capsule((0.006, 0.005, 0), (0.0902, 0.006, -0.001), 0.0135, 0.0122),
    Capsule((0.006, -0.005, 0), (0.0845, -0.014, -0.001), 0.0135, 0.0116),
    Capsule((0.006, -0.013, 0), (0.0749, -0.032, -0.001), 0.0135, 0.0108),
    Capsule((0.018, 0.016, 0.008), (0.055, 0.034, 0.010), 0.0150, 0.0115),  # thenar
    Capsule((0.016, -0.016, 0.006), (0.056, -0.029, 0.004), 0.0135, 0.0105),  # hypothenar
    Capsule((0.086, 0.020, 0), (0.080, -0.026, 0.001), 0.0110, 0.0105),  # knuckles
)
