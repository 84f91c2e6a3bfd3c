"""Holistic that follows a person from frame to frame, as MediaPipe's video mode does.

A body is looked for where it was last; only a lost one is looked for in the whole frame. Hands and
face are looked for where they were, unless the body says that they are elsewhere
(RoiTrackingCalculator).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from poseprep.landmarkers.batched import face as faces
from poseprep.landmarkers.batched import hands, libm, pose
from poseprep.landmarkers.batched.rectangles import (
    Point,
    Points,
    Rectangles,
    Sizes,
    box_by_corner,
    grown,
    turn,
    usable,
    within_half_turn,
)
from poseprep.landmarkers.batched.smoothing import BodySmoother, OneEuro, smoothed, unsmoothed
from poseprep.landmarkers.batched.view import View
from poseprep.landmarkers.mediapipe_holistic import Look

f32 = np.float32
# Points of the palm and the lower fingers, by which a hand is followed; among them the wrist, and
# the roots of index, middle and ring finger.
_PALM = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
_WRIST, _INDEX, _MIDDLE, _RING = 0, 5, 9, 13
_FACE_EYES = (33, 263)


class Limits(NamedTuple):
    """How far a place may lie from where the body says it is, to be kept.

    Attributes:
        degrees: of turn.
        shift: of its centre, as a share of its size.
        scale: of its size, as a share.
        margin: how far outside its points may be, as a share.
    """

    degrees: float
    shift: float
    scale: float
    margin: float


_HAND, _FACE = Limits(40.0, 0.2, 0.4, -0.1), Limits(15.0, 0.1, 0.3, -0.2)


class Tracker:
    """Follows one person through the frames of one video, in order.

    Args:
        face: whether to look for the face, too.
        smooth: smooth the body's points, as MediaPipe's video mode does.
    """

    def __init__(self, face: bool, smooth: bool):
        self._face = face
        self._smoother = BodySmoother() if smooth else None
        self._guides = OneEuro(0.01, 10.0)
        self._body: Rectangles | None = None
        self._last: dict[str, Float[np.ndarray, "V 3"]] = {}

    def __call__(self, view: View) -> Look:
        """What is seen in the next frame, the only one of a view."""
        width, height = view.sizes[0].tolist()
        look = Look({}, width / height)
        body = self._follow_body(view)
        if body is not None:
            look.parts["body"] = body[0]
            self._follow_hands(view, body, look)
            if self._face:
                self._follow_face(view, body, look)
        self._last = {name: points for name, points in look.parts.items() if name != "body"}
        return look

    def _follow_body(self, view: View) -> Float[np.ndarray, "1 33 5"] | None:
        which = np.arange(1)
        if self._body is None:
            which, self._body = pose.find(view, which)
        bodies = pose.look(view, which, self._body)
        if not len(bodies.which):
            self._body = None
            self._guides.forget()
            if self._smoother:
                self._smoother.forget()
            return None
        size, pixels = view.sizes[0], pose.extent(bodies.guides, view.sizes)[0]
        guides = smoothed(self._guides, bodies.guides[0], size, pixels)
        self._body = pose.around(guides[None], view.sizes)
        if not self._smoother:
            return unsmoothed(bodies, view.sizes).points
        return self._smoother(bodies.points[0], size, pixels)[None]

    def _follow_hands(self, view: View, body: Points, look: Look) -> None:
        number, sides, places = hands.find(view, np.arange(1), body)
        names = [hands.SIDES[side] for side in sides]
        for i, name in enumerate(names):
            last = self._last.get(name)
            if last is not None:
                before = around_hand(last[None], view.sizes)
                places[i] = kept(before, last, places[i : i + 1], view, _HAND)
        seen = hands.look(view, number, places)
        for i in np.flatnonzero(seen.seen):
            look.parts[names[i]] = seen.points[i]

    def _follow_face(self, view: View, body: Points, look: Look) -> None:
        which, found = faces.find(view, np.arange(1), body)
        if not len(found):
            return
        last = self._last.get("face")
        if last is not None:
            found = kept(around_face(last[None], view.sizes), last, found, view, _FACE)
        seen, points = faces.look(view, which, found)
        if seen[0]:
            look.parts["face"] = points[0]


def around_hand(points: Points, sizes: Sizes) -> Rectangles:
    """Where a hand is that had these points; HandLandmarksToRectCalculator."""
    wrist = points[:, _WRIST, :2] * sizes
    ring = (points[:, _INDEX, :2] + points[:, _RING, :2]) / f32(2)
    roots = (ring + points[:, _MIDDLE, :2]) / f32(2) * sizes
    rotation = turn(wrist, roots, 90)
    palm = points[:, _PALM, :2]
    middle = _between(palm)
    flat = (palm - middle[:, None]) * sizes[:, None]
    upright = _turned(flat, within_half_turn(-rotation)[:, None])
    centre = _turned(_between(upright)[:, None], rotation[:, None])[:, 0] + sizes * middle
    size = np.maximum(upright.max(axis=1), np.finfo(f32).tiny) - upright.min(axis=1)
    rectangles = np.column_stack([centre / sizes, size / sizes, rotation])
    return grown(rectangles, sizes, 2.0, -0.1)


def around_face(points: Points, sizes: Sizes) -> Rectangles:
    """Where a face is that had these points."""
    start, end = (points[:, i, :2] * sizes for i in _FACE_EYES)
    return grown(np.column_stack([box_by_corner(points), turn(start, end, 0)]), sizes, 1.5)


def kept(
    last: Rectangles,
    points: Float[np.ndarray, "V C"],
    found: Rectangles,
    view: View,
    limits: Limits,
) -> Rectangles:
    """The last frame's place of a part, or where it lies too far off, the one found now.

    Args:
        points: the part's in the last frame.
    """
    size, upright = view.sizes[0], -found[:, 4:5]  # turned so that the place found now is upright
    before, now = _turned(np.stack([last[0, :2], found[0, :2]])[None] * size, upright)[0]
    now_size, before_size = found[0, 2:4] * size, last[0, 2:4] * size
    degrees = abs(math.remainder(math.degrees(last[0, 4] - found[0, 4]), 360))
    part = _turned(points[None, :, :2] * size, upright)[0]
    reach = now_size * f32(1 + limits.margin) * f32(0.5)
    near = (
        usable(last)[0]
        and degrees <= limits.degrees
        and (np.abs(before - now) <= now_size * f32(limits.shift)).all()
        and (np.abs(before_size - now_size) <= now_size * f32(limits.scale)).all()
        and ((now - reach < part) & (part < now + reach)).all()
    )
    return last if near else found


def _between(points: Points) -> Point:
    low = points.min(axis=1)
    high = np.maximum(points.max(axis=1), np.finfo(f32).tiny)
    return (high + low) / f32(2)


def _turned(points: Points, angle: Float[np.ndarray, "K 1"]) -> Points:
    """Points turned about the origin, clockwise."""
    sin, cos = libm.sin(angle), libm.cos(angle)
    x, y = points[..., 0], points[..., 1]
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)
