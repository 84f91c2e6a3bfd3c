"""The skeleton as a graph."""

import torch
from sslmodel_corpus import HAND, SMALL

from poseprep.skeleton import HOLISTIC, SIGNING
from sslmodel import graph


def test_a_chain_of_two_is_normalised_by_hand() -> None:
    # Two joined points with self-loops: every degree is 2, every weight 1/√2 · 1/√2.
    pair = HOLISTIC.select(["left_elbow", "left_wrist"])
    torch.testing.assert_close(graph.adjacency(pair), torch.full((2, 2), 0.5))


def test_the_adjacency_is_symmetric_with_self_loops_and_edges_where_the_skeleton_has_them() -> None:
    adjacency = graph.adjacency(HAND)
    torch.testing.assert_close(adjacency, adjacency.T)
    edges = {(a, b) for a, b in HAND.edges.tolist()}
    for a, b in adjacency.nonzero().tolist():
        assert a == b or (min(a, b), max(a, b)) in edges
    assert len(adjacency.nonzero()) == 2 * len(edges) + len(HAND)


def test_every_point_of_every_skeleton_has_a_way_to_its_root() -> None:
    for skeleton in (HAND, SMALL, HOLISTIC.select(SIGNING), HOLISTIC):
        parent, root = graph.parents(skeleton), graph.part_roots(skeleton)
        at = torch.arange(len(skeleton))
        for _ in range(len(skeleton)):
            at = parent[at]
        assert torch.equal(at, root)


def test_a_fingers_bones_lead_to_the_wrist() -> None:
    parent = graph.parents(HAND)
    names = [HAND.names[i] for i in parent.tolist()]
    tip = HAND.index("right_hand_index_finger_tip")
    assert names[tip] == "right_hand_index_finger_dip"
    assert names[HAND.index("right_hand_index_finger_mcp")] == "right_hand_wrist"
