"""What turns an encoder's standardised inputs into an embedding: one file a backbone.

Called with inputs (B, T, V, C), it returns (B, D). `parts-apart` is the project's own; the others
are what people have today, to compare with.
"""

from collections.abc import Callable

from poseprep.skeleton import Skeleton
from sslmodel.backbones.backbone import Backbone
from sslmodel.backbones.parts_apart import PartsApart
from sslmodel.backbones.st_gcn import GCN, STGCN
from sslmodel.config import EncoderConfig

__all__ = ["BACKBONES", "Backbone"]

BACKBONES: dict[str, Callable[[Skeleton, int, EncoderConfig], Backbone]] = {
    "parts-apart": PartsApart,
    "st-gcn": STGCN,
    "gcn": GCN,
}
