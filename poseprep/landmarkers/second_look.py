"""A second look for hands that Holistic missed (docs/recovery.md).

Holistic looks for a hand in one place, which a small network finds from the pose's wrist; where
that place is wrong, the hand is lost. Here MediaPipe's own hand network looks in several places
about the wrist. What it gives is taken only where it can be trusted: a wrong hand is worse than
none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from poseprep.clip import DETECTED, MISSING, RECOVERED
from poseprep.landmarkers import Landmarks
from poseprep.landmarkers.hand_network import Place, Sight, see
from poseprep.skeleton import HAND_NAMES, HOLISTIC

Point = Float[np.ndarray, "2"]
Points = Float[np.ndarray, "21 2"]
See = Callable[[UInt8[np.ndarray, "H W 3"], Sequence[Place]], "list[Sight | None]"]


@dataclass(frozen=True)
class Trust:
    """What a found hand must be like to be taken. 1.0 is one body scale: see `_scale`.

    Chosen on hard drawn clips of seed 0 (docs/recovery.md).

    Attributes:
        presence: what the network itself says, at least, in the last two of three runs.
        presence_at_edge: so much, where a point is nearer than `edge` to the picture's edge: of a
            hand that is cut off, the network makes a whole one.
        enough: with so much of it, no other place is tried.
        agreement: how far those two runs may lie apart.
        wrist: how far the hand's wrist may be from the pose's.
        other_hand: how far from the other hand it must be, if that was found.
        palm: shortest and longest from the wrist to the middle knuckle.
        palm_pixels: the same way in pixels, at least: fingers of fewer cannot be told apart.
        inside: share of its points in the picture, at least.
        side: how sure the network must be that it is this side's hand, at least; and so where the
            wrists are nearer than `close` to each other, or it might be the other's.
        wrist_visibility: of the pose's wrist, at least; as in Holistic.
        memory_frames: for so long the place of the hand's last sight is tried.
        patience_frames: after so many looks in vain only one place is tried in a frame.
    """

    presence: float = 0.65
    presence_at_edge: float = 0.9
    edge: float = 0.15
    enough: float = 0.9
    agreement: float = 0.035
    wrist: float = 0.4
    other_hand: float = 0.25
    palm: tuple[float, float] = (0.09, 0.42)
    palm_pixels: float = 8.0
    inside: float = 0.4
    side: float = 0.15
    close: float = 0.6
    side_when_close: float = 0.8
    wrist_visibility: float = 0.1
    memory_frames: int = 12
    patience_frames: int = 5


class _Memory:
    """Where a hand was when it was seen last, and how often it was looked for since."""

    points: Points
    wrist: Point
    age = math.inf
    in_vain = 0


class SecondLook:
    """Looks for the missing hands of one video, frame after frame.

    Args:
        together: how many places are tried at once. It finds the same: more than one is for
            networks that look at several as quickly as at one.
    """

    def __init__(self, trust: Trust = Trust(), together: int = 1):
        self._trust, self._together = trust, together
        self._see: See = see_all
        self._memory = {"left": _Memory(), "right": _Memory()}

    def __call__(
        self, frame: UInt8[np.ndarray, "H W 3"], found: Landmarks, see: See | None = None
    ) -> Landmarks:
        """What Holistic found, and the hands that it missed.

        Args:
            see: what the hand network finds in places of this frame; MediaPipe's own graph, if
                not told otherwise.
        """
        self._see = see or see_all
        points, confidence, source = found
        for side, other in (("left", "right"), ("right", "left")):
            part = list(HOLISTIC.parts).index(f"{side}_hand")
            where = HOLISTIC.parts[f"{side}_hand"]
            if source[part] == MISSING and source[0] == DETECTED:
                hand = self._look(frame, points, confidence, side, other)
                if hand is not None:
                    points, confidence, source = points.copy(), confidence.copy(), source.copy()
                    points[where], confidence[where], source[part] = hand, 1.0, RECOVERED
            self._remember(side, points, where, bool(source[part] != MISSING))
        return Landmarks(points, confidence, source)

    def _remember(self, side: str, points: np.ndarray, where: slice, seen: bool) -> None:
        memory = self._memory[side]
        memory.age += 1
        if seen:
            memory.points = points[where, :2].astype(float)
            memory.wrist = points[HOLISTIC.index(f"{side}_wrist"), :2].astype(float)
            memory.age = memory.in_vain = 0

    def _look(
        self,
        frame: UInt8[np.ndarray, "H W 3"],
        points: Float[np.ndarray, "V 3"],
        confidence: Float[np.ndarray, " V"],
        side: str,
        other: str,
    ) -> Float[np.ndarray, "21 3"] | None:
        """The hand of one side, if it can be found and trusted."""
        trust, memory = self._trust, self._memory[side]
        wrist = points[HOLISTIC.index(f"{side}_wrist"), :2].astype(float)
        visibility = confidence[HOLISTIC.index(f"{side}_wrist")]
        if visibility < trust.wrist_visibility or not _inside(wrist[None], frame).all():
            return None
        scale = _scale(points)
        places = self._places(points, side, wrist, scale)
        if memory.in_vain >= trust.patience_frames:
            places = [places[memory.in_vain % len(places)]]
        best: tuple[float, Sight] | None = None
        for sights in self._thrice(frame, places):
            trusted = sights and self._trusted(frame, *sights, points, side, other, scale)
            if trusted and (best is None or trusted[0] > best[0]):
                best = trusted
            if best is not None and best[0] >= trust.enough:
                break
        memory.in_vain += best is None
        return None if best is None else best[1].points

    def _thrice(
        self, frame: UInt8[np.ndarray, "H W 3"], places: Sequence[Place]
    ) -> Iterator[tuple[Sight, Sight] | None]:
        """What is seen in each place in the second and third look, each about what the last saw."""
        for start in range(0, len(places), self._together):
            sights = self._see(frame, places[start : start + self._together])
            second = self._about(frame, sights)
            for one, other in zip(second, self._about(frame, second), strict=True):
                yield (one, other) if one and other else None

    def _about(
        self, frame: UInt8[np.ndarray, "H W 3"], sights: Sequence[Sight | None]
    ) -> list[Sight | None]:
        there = [place_of(sight.points[:, :2]) for sight in sights if sight]
        seen = iter(self._see(frame, there) if there else ())
        return [next(seen) if sight else None for sight in sights]

    def _places(
        self, points: Float[np.ndarray, "V 3"], side: str, wrist: Point, scale: float
    ) -> list[Place]:
        """Where it may be: where it was, beyond the forearm, where the pose has its knuckles."""
        memory, places = self._memory[side], []
        if memory.age <= self._trust.memory_frames:
            moved = place_of(memory.points + (wrist - memory.wrist))
            places += [moved, moved._replace(size=1.3 * moved.size), place_of(memory.points)]
        elbow, index, pinky = (
            points[HOLISTIC.index(f"{side}_{name}"), :2].astype(float)
            for name in ("elbow", "index", "pinky")
        )
        forearm = _direction(wrist - elbow)
        knuckles = _direction((index + pinky) / 2 - wrist)
        for turn, size in (
            *((forearm, 1.05), (knuckles, 1.05), (forearm, 0.75)),
            *((forearm + 0.8, 1.05), (forearm - 0.8, 1.05)),
        ):
            ahead = np.array((math.sin(turn), -math.cos(turn)))
            places.append(Place(wrist + 0.22 * scale * ahead, size * scale, turn))
        return places

    def _trusted(
        self,
        frame: UInt8[np.ndarray, "H W 3"],
        second: Sight,
        third: Sight,
        points: Float[np.ndarray, "V 3"],
        side: str,
        other: str,
        scale: float,
    ) -> tuple[float, Sight] | None:
        """The hand of the last two looks with how sure it is, or None."""
        trust = self._trust
        hand = third.points[:, :2]
        own, others = (points[HOLISTIC.index(f"{name}_wrist"), :2] for name in (side, other))
        theirs = points[HOLISTIC.parts[f"{other}_hand"], :2]
        away, palm = (
            float(np.linalg.norm(step)) / scale
            for step in (hand[0] - own, hand[HAND_NAMES.index("middle_finger_mcp")] - hand[0])
        )
        from_others = float(np.linalg.norm(hand[0] - others)) / scale
        close = float(np.linalg.norm(own - others)) / scale < trust.close or from_others < away
        likely = third.left if side == "left" else 1 - third.left
        sure = min(second.presence, third.presence)
        at_edge = _to_edge(hand, frame) < trust.edge * scale
        trusted = (
            sure >= (trust.presence_at_edge if at_edge else trust.presence)
            and _apart(hand, second.points[:, :2]) <= trust.agreement * scale
            and away <= trust.wrist
            and trust.palm[0] <= palm <= trust.palm[1]
            and palm * scale * len(frame) >= trust.palm_pixels
            and _inside(hand, frame).mean() >= trust.inside
            and likely >= (trust.side_when_close if close else trust.side)
            # NaN where the other hand was not found.
            and not _apart(hand, theirs) < trust.other_hand * scale
        )
        return (sure, third) if trusted else None


def see_all(frame: UInt8[np.ndarray, "H W 3"], places: Sequence[Place]) -> list[Sight | None]:
    """What MediaPipe's own graph finds in places, one after the other."""
    return [see(frame, place) for place in places]


def place_of(hand: Points) -> Place:
    """The square about a hand's points, as MediaPipe's tracking takes it, a little larger."""
    middle = ((hand[5] + hand[17]) / 2 + hand[9]) / 2  # of the knuckles
    turn = _direction(middle - hand[0])
    upright = np.array(((math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))))
    turned = (hand - hand.mean(axis=0)) @ upright.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    centre = (low + high) / 2 @ upright + hand.mean(axis=0)
    return Place(centre, 1.9 * float((high - low).max()), turn)


def _scale(points: Float[np.ndarray, "V 3"]) -> float:
    """The body's size in the picture: a shoulder width, also of a signer who is turned aside."""
    left, right, nose = (
        points[HOLISTIC.index(name), :2].astype(float)
        for name in ("left_shoulder", "right_shoulder", "nose")
    )
    return max(
        float(np.linalg.norm(left - right)),
        1.5 * float(np.linalg.norm(nose - (left + right) / 2)),
        1e-3,
    )


def _direction(step: Point) -> float:
    """Clockwise from upwards, radians."""
    return math.atan2(step[0], -step[1])


def _apart(one: Points, other: Points) -> float:
    return float(np.linalg.norm(one - other, axis=1).mean())


def _to_edge(hand: Points, frame: UInt8[np.ndarray, "H W 3"]) -> float:
    """How far the outermost point is inside the picture; negative where it is outside."""
    height, width = frame.shape[:2]
    return float(np.minimum(hand, (width / height, 1) - hand).min())


def _inside(points: Float[np.ndarray, "N 2"], frame: UInt8[np.ndarray, "H W 3"]) -> np.ndarray:
    height, width = frame.shape[:2]
    return ((points >= 0) & (points <= (width / height, 1))).all(axis=1)
