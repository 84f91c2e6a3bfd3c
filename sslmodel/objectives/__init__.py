"""Self-supervised objectives, one a file.

An objective holds its own heads. Called with the embeddings of the original clips and of
their two views, each (B, D), it returns the loss and its named terms.
"""

from collections.abc import Callable

from torch import nn

from sslmodel.config import PretrainConfig
from sslmodel.objectives.sl_fpn import SLFPN
from sslmodel.objectives.sl_vicreg import SLVICReg

# Each is made from the length of an embedding and the run's settings.
OBJECTIVES: dict[str, Callable[[int, PretrainConfig], nn.Module]] = {
    "sl-vicreg": lambda features, config: SLVICReg(features, config.sl_vicreg),
    "sl-fpn": lambda features, config: SLFPN(features, config.sl_fpn),
}
