"""What a network costs: multiplications, counted from its operators."""

from __future__ import annotations

import math

from poseprep.landmarkers.batched.network import Network


def multiplications(network: Network) -> int:
    """Multiply-adds of one crop in convolutions and dense layers; all else is little."""
    total = 0
    for operator in network.operators:
        if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            weights = network.shapes[operator.inputs[1]]
            cells = math.prod(network.shapes[operator.outputs[0]][1:-1])
            total += cells * math.prod(weights)
    return total
