"""Named points, the edges between them, their mirror image, and the parts they form.

`HOLISTIC` is MediaPipe Holistic's: 33 body + 21 + 21 hand + 468 face = 543 points.
`SIGNING` names the points that an encoder reads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np

from poseprep.errors import InputError
from poseprep.face_mesh import FACE_CONTOURS, FACE_MIRROR_PAIRS, FACE_POINTS

BODY_NAMES = (
    "nose",
    *("left_eye_inner", "left_eye", "left_eye_outer"),
    *("right_eye_inner", "right_eye", "right_eye_outer"),
    *("left_ear", "right_ear", "mouth_left", "mouth_right"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_pinky", "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    *("left_heel", "right_heel", "left_foot_index", "right_foot_index"),
)
HAND_NAMES = (
    "wrist",
    *("thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"),
    *(
        f"{finger}_{joint}"
        for finger in ("index_finger", "middle_finger", "ring_finger", "pinky")
        for joint in ("mcp", "pip", "dip", "tip")
    ),
)
FINGERTIPS = tuple(name for name in HAND_NAMES if name.endswith("_tip"))

# Chains of neighbouring points, as in MediaPipe's POSE_CONNECTIONS. MediaPipe leaves head and
# mouth unconnected; the edges from the nose to the shoulders and the mouth join them.
_BODY_CHAINS = (
    ("nose", "left_eye_inner", "left_eye", "left_eye_outer", "left_ear"),
    ("nose", "right_eye_inner", "right_eye", "right_eye_outer", "right_ear"),
    ("nose", "mouth_left", "mouth_right", "nose"),
    ("left_shoulder", "nose", "right_shoulder"),
    ("left_shoulder", "right_shoulder", "right_hip", "left_hip", "left_shoulder"),
    ("left_shoulder", "left_elbow", "left_wrist", "left_pinky", "left_index", "left_wrist"),
    ("right_shoulder", "right_elbow", "right_wrist", "right_pinky", "right_index", "right_wrist"),
    ("left_wrist", "left_thumb"),
    ("right_wrist", "right_thumb"),
    ("left_hip", "left_knee", "left_ankle", "left_heel", "left_foot_index", "left_ankle"),
    ("right_hip", "right_knee", "right_ankle", "right_heel", "right_foot_index", "right_ankle"),
)
_HAND_CHAINS = (
    ("wrist", "thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"),
    *(
        tuple(f"{finger}_{joint}" for joint in ("mcp", "pip", "dip", "tip"))
        for finger in ("index_finger", "middle_finger", "ring_finger", "pinky")
    ),
    ("wrist", "index_finger_mcp", "middle_finger_mcp", "ring_finger_mcp", "pinky_mcp", "wrist"),
)
# Where one part goes on in another: the same spot of the body, seen by two networks.
_LINKS = (
    ("left_wrist", "left_hand_wrist"),
    ("right_wrist", "right_hand_wrist"),
    ("nose", "face_1"),
    ("mouth_left", "face_291"),
    ("mouth_left", "face_308"),
    ("mouth_right", "face_61"),
    ("mouth_right", "face_78"),
    ("left_eye_outer", "face_263"),
    ("left_eye_inner", "face_362"),
    ("right_eye_outer", "face_33"),
    ("right_eye_inner", "face_133"),
    ("left_eye", "face_334"),
    ("right_eye", "face_105"),
    ("left_ear", "face_454"),
    ("right_ear", "face_234"),
)


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Named points with edges, a mirror permutation and contiguous parts.

    Attributes:
        names: the V point names, unique.
        edges: (E, 2) int, pairs of point indices, each pair once, smaller index first.
        mirror: (V,) int; the point that takes a point's place in a mirror image.
        parts: part name → slice of points, in the order of the points.
    """

    names: tuple[str, ...]
    edges: np.ndarray
    mirror: np.ndarray
    parts: dict[str, slice]

    def __len__(self) -> int:
        return len(self.names)

    def fits_together(self) -> bool:
        """Whether names, edges, mirror and parts go together; in a stranger's file they may not."""
        names, parts = self.names, list(self.parts.values())
        ends = [0, *(where.stop for where in parts)]
        indices = np.concatenate([self.edges.ravel(), self.mirror.ravel()])
        return bool(
            all(isinstance(name, str) for name in names)
            and len(set(names)) == len(names) == ends[-1] > 0
            and [where.start for where in parts] == ends[:-1]
            and sorted(ends) == ends
            and self.edges.shape == (len(self.edges), 2)
            and self.mirror.shape == (len(names),)
            and (np.issubdtype(indices.dtype, np.integer) or indices.size == 0)
            and ((indices >= 0) & (indices < len(names))).all()
        )

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    def __contains__(self, name: str) -> bool:
        return name in self._index

    def index(self, name: str) -> int:
        """The index of a point; raises InputError where there is no such point."""
        if name not in self._index:
            raise InputError(
                f"this skeleton of {len(self)} points has no point {name!r}; "
                f"its points are {self.names[0]!r}, {self.names[1 % len(self)]!r}, …"
            )
        return self._index[name]

    def indices(self, names: Iterable[str]) -> np.ndarray:
        """(len(names),) int: the indices of several points, in the order asked."""
        return np.array([self.index(name) for name in names], dtype=np.intp)

    def select(self, names: Iterable[str]) -> "Skeleton":
        """The skeleton of these points only, in this skeleton's order.

        Two points that stay are joined where a path between them leads only over points
        left out, so that a selection hangs together as the whole did.

        Raises:
            InputError: a name is not a point of this skeleton, or none is given.
        """
        kept = np.unique(self.indices(names))
        if len(kept) == 0:
            raise InputError("a skeleton needs at least one point, found none; name some points")
        new = np.full(len(self), -1, dtype=np.intp)
        new[kept] = np.arange(len(kept))
        # The mirror image of a point left in may have been left out: it then mirrors itself.
        mirror = new[self.mirror[kept]]
        mirror = np.where(mirror < 0, np.arange(len(kept)), mirror)
        parts = {}
        for part, where in self.parts.items():
            inside = new[where][new[where] >= 0]
            if len(inside):
                parts[part] = slice(int(inside[0]), int(inside[-1]) + 1)
        edges = [
            (int(new[a]), int(new[b]))
            for a, b in _contract(self.edges, len(self), set(kept.tolist()))
        ]
        return Skeleton(tuple(self.names[i] for i in kept), _edge_array(edges), mirror, parts)


def _contract(edges: np.ndarray, points: int, kept: set[int]) -> set[tuple[int, int]]:
    """Edges among `kept`, old indices, with paths over left-out points drawn together."""
    neighbours: list[set[int]] = [set() for _ in range(points)]
    for a, b in edges.tolist():
        neighbours[a].add(b)
        neighbours[b].add(a)
    joined = {(a, b) for a, b in edges.tolist() if a in kept and b in kept}
    waiting = set(range(points)) - kept
    while waiting:
        stack, shore = [waiting.pop()], set()
        while stack:
            for n in neighbours[stack.pop()]:
                if n in kept:
                    shore.add(n)
                elif n in waiting:
                    waiting.remove(n)
                    stack.append(n)
        joined |= set(combinations(sorted(shore), 2))
    return joined


def _edge_array(edges: Iterable[tuple[int, int]]) -> np.ndarray:
    unique = sorted({(min(a, b), max(a, b)) for a, b in edges if a != b})
    return np.array(unique, dtype=np.intp).reshape(-1, 2)


def _chain_edges(chains: Iterable[Sequence[str]]) -> list[tuple[str, str]]:
    return [edge for chain in chains for edge in pairwise(chain)]


def _swap_side(name: str) -> str:
    for side, other in (("left", "right"), ("right", "left")):
        if name.startswith(f"{side}_"):
            return name.replace(side, other, 1)
        if name.endswith(f"_{side}"):
            return name.replace(side, other)
    return name


def _holistic() -> Skeleton:
    part_names = {
        "body": BODY_NAMES,
        "left_hand": tuple(f"left_hand_{name}" for name in HAND_NAMES),
        "right_hand": tuple(f"right_hand_{name}" for name in HAND_NAMES),
        "face": tuple(f"face_{i}" for i in range(FACE_POINTS)),
    }
    names = tuple(name for part in part_names.values() for name in part)
    chains = list(_BODY_CHAINS)
    for side in ("left", "right"):
        chains += [tuple(f"{side}_hand_{name}" for name in chain) for chain in _HAND_CHAINS]
    chains += [tuple(f"face_{i}" for i in chain) for chain in FACE_CONTOURS]
    index = {name: i for i, name in enumerate(names)}
    mirrored = {name: _swap_side(name) for name in names}
    for left, right in FACE_MIRROR_PAIRS:
        mirrored[f"face_{left}"], mirrored[f"face_{right}"] = f"face_{right}", f"face_{left}"
    parts, start = {}, 0
    for part, members in part_names.items():
        parts[part] = slice(start, start + len(members))
        start += len(members)
    return Skeleton(
        names=names,
        edges=_edge_array((index[a], index[b]) for a, b in [*_chain_edges(chains), *_LINKS]),
        mirror=np.array([index[mirrored[name]] for name in names], dtype=np.intp),
        parts=parts,
    )


HOLISTIC = _holistic()

# What a sign is made of: where the arms are, the whole of both hands, and of the face the
# mouth's opening and corners, the brows, the lids, nose tip and chin. Hips and legs are left
# out: sign videos seldom show them, and MediaPipe then guesses.
SIGNING: tuple[str, ...] = (
    *(name for name in BODY_NAMES[:17] if not name.endswith(("_inner", "_outer"))),
    *HOLISTIC.names[HOLISTIC.parts["left_hand"]],
    *HOLISTIC.names[HOLISTIC.parts["right_hand"]],
    *(
        f"face_{i}"
        for group in (
            (61, 291, 0, 17, 13, 14),  # mouth: corners, outer lips, inner lips
            (70, 105, 107, 336, 334, 300),  # brows: right outer to left outer
            (33, 133, 159, 145),  # right eye: corners, lids
            (263, 362, 386, 374),  # left eye: corners, lids
            (1, 152),  # nose tip, chin
        )
        for i in group
    ),
)

# What of the face a store can hold: every point of the mesh; its contours and what SIGNING names
# of it; nothing. Name → the points of the whole skeleton.
_CONTOURS = {f"face_{i}" for chain in FACE_CONTOURS for i in chain} | set(SIGNING)
FACES: dict[str, tuple[str, ...]] = {
    "full": HOLISTIC.names,
    "contours": tuple(n for n in HOLISTIC.names if not n.startswith("face_") or n in _CONTOURS),
    "none": tuple(n for n in HOLISTIC.names if not n.startswith("face_")),
}
