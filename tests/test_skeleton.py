import numpy as np
import pytest

from poseprep.errors import InputError
from poseprep.face_mesh import FACE_CONTOURS
from poseprep.skeleton import HOLISTIC, SIGNING


def edge_names(skeleton):
    return {(skeleton.names[a], skeleton.names[b]) for a, b in skeleton.edges.tolist()}


def test_holistic_has_543_uniquely_named_points_in_four_parts():
    assert len(HOLISTIC) == len(set(HOLISTIC.names)) == 543
    lengths = {part: where.stop - where.start for part, where in HOLISTIC.parts.items()}
    assert lengths == {"body": 33, "left_hand": 21, "right_hand": 21, "face": 468}


def test_mirroring_twice_changes_nothing():
    assert (HOLISTIC.mirror[HOLISTIC.mirror] == np.arange(543)).all()


def test_mirroring_swaps_left_and_right():
    for name, mirrored in (
        ("left_wrist", "right_wrist"),
        ("mouth_left", "mouth_right"),
        ("left_hand_thumb_tip", "right_hand_thumb_tip"),
        ("face_33", "face_263"),
        ("nose", "nose"),
        ("face_1", "face_1"),
    ):
        assert HOLISTIC.mirror[HOLISTIC.index(name)] == HOLISTIC.index(mirrored)


def test_mirroring_maps_edges_onto_edges():
    edges = {tuple(sorted(edge)) for edge in HOLISTIC.edges.tolist()}
    assert {tuple(sorted(HOLISTIC.mirror[list(edge)].tolist())) for edge in edges} == edges


def test_names_and_edges_are_mediapipes():
    holistic = pytest.importorskip("mediapipe.python.solutions.holistic")
    face_mesh = pytest.importorskip("mediapipe.python.solutions.face_mesh_connections")
    assert HOLISTIC.names[:33] == tuple(point.name.lower() for point in holistic.PoseLandmark)
    for hand in ("left_hand", "right_hand"):
        names = HOLISTIC.names[HOLISTIC.parts[hand]]
        assert names == tuple(f"{hand}_{point.name.lower()}" for point in holistic.HandLandmark)
    ours = {tuple(edge) for edge in HOLISTIC.edges.tolist()}
    for start, connections in (
        (0, holistic.POSE_CONNECTIONS),
        (33, holistic.HAND_CONNECTIONS),
        (54, holistic.HAND_CONNECTIONS),
        (75, face_mesh.FACEMESH_CONTOURS),
    ):
        assert {tuple(sorted((a + start, b + start))) for a, b in connections} <= ours


def test_contours_are_their_own_mirror_image():
    contour_points = {f"face_{i}" for chain in FACE_CONTOURS for i in chain}
    mirrored = {HOLISTIC.names[HOLISTIC.mirror[HOLISTIC.index(name)]] for name in contour_points}
    assert mirrored == contour_points


def test_a_selection_keeps_names_parts_and_mirror():
    signing = HOLISTIC.select(SIGNING)
    assert set(signing.names) == set(SIGNING)
    assert list(signing.parts) == list(HOLISTIC.parts)
    for name, where in signing.parts.items():
        assert set(signing.names[where]) <= set(HOLISTIC.names[HOLISTIC.parts[name]])
    assert (signing.mirror[signing.mirror] == np.arange(len(signing))).all()


def test_a_selection_hangs_together_as_the_whole_did():
    signing = HOLISTIC.select(SIGNING)
    reached, frontier = {0}, [0]
    while frontier:
        point = frontier.pop()
        for a, b in signing.edges.tolist():
            for neighbour in {a: {b}, b: {a}}.get(point, set()) - reached:
                reached.add(neighbour)
                frontier.append(neighbour)
    assert len(reached) == len(signing)


def test_a_path_over_points_left_out_becomes_an_edge():
    arm = HOLISTIC.select(["left_shoulder", "left_wrist", "left_hand_wrist"])
    assert edge_names(arm) == {("left_shoulder", "left_wrist"), ("left_wrist", "left_hand_wrist")}


def test_an_unknown_point_is_named():
    with pytest.raises(InputError, match="no point 'tail'"):
        HOLISTIC.select(["nose", "tail"])
