"""The figure: a performance put on a signer's body, every joint in its place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from poseprep.signer.hand import Handshape, hand_axes, hand_joints, unit
from poseprep.signer.perform import LEFT, RIGHT, SIDES, Performance
from poseprep.signer.person import Signer

SHOULDER_DOWN, SHOULDER_BACK = 0.02, 0.02
HIP_OUT, HIP_DOWN = 0.105, 0.50
CHIN_DOWN = -0.13
"""The head's size is measured from here."""

# Landmarks of a head of size 1, out from its middle, down and front (metres), by MediaPipe's
# names without the side; the painted face is drawn from the same numbers.
FACE: dict[str, tuple[float, float, float]] = {
    "nose": (0.0, -0.203, 0.106),
    "eye_inner": (0.017, -0.238, 0.082),
    "eye": (0.032, -0.238, 0.080),
    "eye_outer": (0.047, -0.238, 0.072),
    "ear": (0.074, -0.231, 0.0),
    "mouth": (0.024, -0.168, 0.085),
}


@dataclass(frozen=True)
class Figure:
    """True joints of T frames in world metres; hands and sides in the order left, right."""

    signer: Signer
    shoulder: Float[np.ndarray, "2 3"]
    elbow: Float[np.ndarray, "T 2 3"]
    hands: Float[np.ndarray, "T 2 21 3"]
    axes: Float[np.ndarray, "T 2 3 3"]
    """Each hand's axes as rows distal, radial, palmar."""

    @property
    def wrist(self) -> Float[np.ndarray, "T 2 3"]:
        """The arm ends where the hand begins."""
        return self.hands[:, :, 0]


def figure(performance: Performance, signer: Signer) -> Figure:
    """The joints of a signer's body in a performance."""
    shoulder = np.stack(
        [SIDES * signer.shoulder, np.full(2, SHOULDER_DOWN), np.full(2, -SHOULDER_BACK)], -1
    )
    elbow, wrist = bend_arm(shoulder, performance.wrist, signer.upper_arm, signer.forearm)
    hands, axes = [], []
    for hand in (LEFT, RIGHT):
        turn = hand_axes(
            performance.distal[:, hand], performance.palmar[:, hand], is_left=hand == LEFT
        )
        shape = Handshape(*(part[:, hand] for part in performance.shape))
        hands.append(wrist[:, hand, None] + signer.hand * hand_joints(shape) @ turn)
        axes.append(turn)
    return Figure(signer, shoulder, elbow, np.stack(hands, 1), np.stack(axes, 1))


def bend_arm(
    shoulder: Float[np.ndarray, "2 3"],
    target: Float[np.ndarray, "T 2 3"],
    upper_arm: float,
    forearm: float,
) -> tuple[Float[np.ndarray, "T 2 3"], Float[np.ndarray, "T 2 3"]]:
    """Elbows and wrists that reach for the targets (inverse kinematics of two bones).

    Elbows hang down and a little outwards. A target out of reach is met as nearly as the arm
    can, just short of stretched.
    """
    way = target - shoulder
    distance = np.linalg.norm(way, axis=-1, keepdims=True)
    direction = way / distance
    longest = upper_arm + forearm - 0.004
    shortest = abs(upper_arm - forearm) + 0.05
    distance = np.clip(distance, shortest, longest)
    wrist = shoulder + direction * distance
    # Law of cosines: the elbow's foot on the line from shoulder to wrist, and its height above it.
    foot = (upper_arm**2 - forearm**2 + distance**2) / (2 * distance)
    height = np.sqrt(np.maximum(upper_arm**2 - foot**2, 0))
    pole = np.stack([0.4 * SIDES, np.ones(2), np.full(2, -0.25)], -1)
    aside = unit(pole - direction * (direction * pole).sum(-1, keepdims=True))
    return shoulder + direction * foot + aside * height, wrist


def head_point(place: tuple[float, float, float], signer: Signer) -> Float[np.ndarray, "3"]:
    """A place on a head of size 1, in the world."""
    out, down, front = place
    return np.array(
        (out * signer.head, CHIN_DOWN + (down - CHIN_DOWN) * signer.head, front * signer.head)
    )


def body_points(drawn: Figure) -> dict[str, Float[np.ndarray, "T 3"]]:
    """MediaPipe's body points that the figure has (no legs), by name, in world metres."""
    frames = len(drawn.hands)
    still: dict[str, np.ndarray] = {"nose": head_point(FACE["nose"], drawn.signer)}
    points: dict[str, np.ndarray] = {}
    for side, (label, sign) in enumerate(zip(("left", "right"), SIDES, strict=True)):
        for name in ("eye_inner", "eye", "eye_outer", "ear"):
            still[f"{label}_{name}"] = head_point(FACE[name], drawn.signer) * (sign, 1, 1)
        still[f"mouth_{label}"] = head_point(FACE["mouth"], drawn.signer) * (sign, 1, 1)
        still[f"{label}_shoulder"] = drawn.shoulder[side]
        still[f"{label}_hip"] = np.array((sign * HIP_OUT, HIP_DOWN, -0.03))
        points[f"{label}_elbow"] = drawn.elbow[:, side]
        # MediaPipe: wrist, first knuckles of pinky and index, second knuckle of the thumb.
        for name, joint in (("wrist", 0), ("pinky", 17), ("index", 5), ("thumb", 3)):
            points[f"{label}_{name}"] = drawn.hands[:, side, joint]
    return points | {name: np.tile(place, (frames, 1)) for name, place in still.items()}
