"""The skeleton as a graph, by torch-geometric.

A skeleton is one small fixed graph for every clip and frame, so its normalised adjacency is
kept dense: message passing is then one matrix product, the fastest path there is for it.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import to_dense_adj, to_undirected

from poseprep.skeleton import Skeleton

# V × V numbers are kept.
MOST_POINTS = 2_000


@contextmanager
def _on_cpu() -> Iterator[None]:
    """A graph has numbers also where an encoder is made of shapes alone (on the meta device)."""
    with torch.device("cpu"):
        yield


def edge_index(skeleton: Skeleton) -> Int[Tensor, "2 E"]:
    """The skeleton's edges in both directions, in torch-geometric's form."""
    edges = torch.as_tensor(np.asarray(skeleton.edges), dtype=torch.long).reshape(-1, 2)
    return to_undirected(edges.T.contiguous(), num_nodes=len(skeleton.names))


@_on_cpu()
def adjacency(skeleton: Skeleton) -> Float[Tensor, "V V"]:
    """D^-1/2 (A + I) D^-1/2, the renormalised adjacency of Kipf and Welling (2017), eq. 2."""
    points = len(skeleton.names)
    index, weight = normalised_edges(skeleton)
    return to_dense_adj(index, edge_attr=weight, max_num_nodes=points)[0]


@_on_cpu()
def normalised_edges(skeleton: Skeleton) -> tuple[Int[Tensor, "2 E"], Float[Tensor, " E"]]:
    """The edges in both directions with self-loops, and the weight of each in `adjacency`."""
    points = len(skeleton.names)
    index, weight = gcn_norm(edge_index(skeleton), num_nodes=points, dtype=torch.float32)
    return index, weight


@_on_cpu()
def part_roots(skeleton: Skeleton) -> Int[Tensor, " V"]:
    """Every point's root: the first point of its part, for a hand its wrist."""
    roots = torch.zeros(len(skeleton.names), dtype=torch.long)
    for where in skeleton.parts.values():
        roots[where] = where.start
    return roots


@_on_cpu()
def parents(skeleton: Skeleton) -> Int[Tensor, " V"]:
    """Every point's parent on the way to the root of its part; a root is its own parent.

    What the edges inside a part do not reach hangs on the root directly.
    """
    roots = part_roots(skeleton)
    parent = roots.clone()
    neighbours: list[list[int]] = [[] for _ in skeleton.names]
    for a, b in np.asarray(skeleton.edges).tolist():
        if roots[a] == roots[b]:
            neighbours[a].append(b)
            neighbours[b].append(a)
    for where in skeleton.parts.values():
        reached, queue = {where.start}, deque([where.start])
        while queue:
            point = queue.popleft()
            for other in sorted(neighbours[point]):
                if other not in reached:
                    reached.add(other)
                    parent[other] = point
                    queue.append(other)
    return parent
