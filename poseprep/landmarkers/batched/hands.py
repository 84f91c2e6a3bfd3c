"""The hands: where the body has its wrists, looked for in two steps.

The graphs are mediapipe/modules/holistic_landmark/hand_*.pbtxt and
mediapipe/modules/hand_landmark/hand_landmark_cpu.pbtxt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from poseprep.landmarkers.batched.engine import LENSES
from poseprep.landmarkers.batched.rectangles import (
    Points,
    Rectangles,
    Sizes,
    about,
    grown,
    turn,
    usable,
)
from poseprep.landmarkers.batched.view import Crops, View
from poseprep.landmarkers.hand_network import LARGEST, Place, Sight

f32 = np.float32
HAND_POINTS = 21
SIDES = ("left_hand", "right_hand")
# Of the body's points, for each side: the hand's wrist, little finger and index finger.
_CORNERS = np.array(((15, 17, 19), (16, 18, 20)))
_VISIBILITY, _PRESENCE = 0.1, 0.5
_MARGIN, _SHIFT = 2.7, -0.1
# The network's z is in its own unit (TensorsToLandmarksCalculatorOptions.normalize_z).
_Z_UNIT = 0.4


class Hands(NamedTuple):
    """What the hand network says of K places.

    Attributes:
        seen: whether it finds a hand there.
        points: x, y and z as shares of the frame, also where it finds none.
        presence: how sure it is that it is a hand.
        left: how likely a left one. The network names hands as a mirror image shows them.
    """

    seen: np.ndarray
    points: Float[np.ndarray, "K 21 3"]
    presence: Float[np.ndarray, " K"]
    left: Float[np.ndarray, " K"]


def find(
    view: View, which: Int[np.ndarray, " K"], bodies: Points
) -> tuple[Int[np.ndarray, " L"], Int[np.ndarray, " L"], Float[np.ndarray, "L 5"]]:
    """Where hands may be.

    Args:
        which: the bodies' frames.
        bodies: (K, 33, 4 or more) points: x, y, z, visibility.

    Returns:
        of every hand whose wrist is shown: the number of its body, that of its side in `SIDES`,
        and its place.
    """
    shown = bodies[:, _CORNERS[:, 0], 3] > f32(_VISIBILITY)
    body, side = np.nonzero(shown)
    sizes = view.sizes[which[body]]
    corners = bodies[body[:, None], _CORNERS[side], :2] * sizes[:, None]
    places = near(corners[:, 0], corners[:, 1], corners[:, 2], sizes)
    kept = usable(places)
    body, side, places, sizes = body[kept], side[kept], places[kept], sizes[kept]
    crops = Crops.of(view, which[body], places)
    (ends,) = crops.look("hand_recrop")
    ends = ends.reshape(len(body), 2, 2) / f32(LENSES["hand_recrop"].size)
    start, end = (crops.in_frame(ends)[:, i] * sizes for i in (0, 1))
    places = grown(about(start, end, turn(start, end, -90), sizes), sizes, 1.0, _SHIFT)
    kept = usable(places)
    return body[kept], side[kept], places[kept]


def near(
    wrist: Float[np.ndarray, "K 2"],
    pinky: Float[np.ndarray, "K 2"],
    index: Float[np.ndarray, "K 2"],
    sizes: Sizes,
) -> Rectangles:
    """The square about a hand of which the body's points are known, in pixels."""
    middle = (f32(2) * index + pinky) / f32(3)
    turned = turn(wrist, middle, 90)
    return grown(about(middle, wrist, turned, sizes), sizes, _MARGIN, _SHIFT)


def look(view: View, which: Int[np.ndarray, " K"], places: Rectangles) -> Hands:
    """The hands in places of frames; every place must be usable."""
    crops = Crops.of(view, which, places)
    points, presence, right = crops.look("hand_landmarks")
    size = f32(LENSES["hand_landmarks"].size)
    points = points.reshape(len(which), HAND_POINTS, 3) / size
    points[..., 2] /= f32(_Z_UNIT)
    presence = presence.reshape(-1)
    return Hands(presence > f32(_PRESENCE), crops.in_frame(points), presence, 1 - right.reshape(-1))


def see(view: View, number: int, places: Sequence[Place]) -> list[Sight | None]:
    """What `poseprep.landmarkers.hand_network.see` tells, by our own engine, of frame `number`."""
    width, height = view.sizes[number].tolist()
    aspect = width / height
    sound = [1 / height < place.size < LARGEST for place in places]
    corners = [
        (place.centre[0] / aspect, place.centre[1], place.size / aspect, place.size, place.rotation)
        for place, good in zip(places, sound, strict=True)
        if good
    ]
    found = look(view, np.full(len(corners), number), np.array(corners, f32).reshape(-1, 5))
    points = found.points.astype(float) * (aspect, 1.0, aspect)
    sights = iter(
        Sight(points[i], float(found.presence[i]), float(found.left[i])) if seen else None
        for i, seen in enumerate(found.seen)
    )
    return [next(sights) if good else None for good in sound]
