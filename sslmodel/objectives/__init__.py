"""Self-supervised objectives, one a file; `objective.py` says what all of them are."""

from collections.abc import Callable

from sslmodel.config import PretrainConfig
from sslmodel.objectives.barlow_twins import BarlowTwins
from sslmodel.objectives.byol import BYOL
from sslmodel.objectives.moco import MoCo
from sslmodel.objectives.objective import Objective
from sslmodel.objectives.simclr import SimCLR
from sslmodel.objectives.simsiam import SimSiam
from sslmodel.objectives.sl_fpn import SLFPN
from sslmodel.objectives.sl_sigreg import SLSIGReg
from sslmodel.objectives.sl_vicreg import SLVICReg
from sslmodel.objectives.vicreg import VICReg

# Each is made from the length of an embedding and the run's settings.
OBJECTIVES: dict[str, Callable[[int, PretrainConfig], Objective]] = {
    "sl-vicreg": lambda features, config: SLVICReg(features, config.sl_vicreg),
    "sl-sigreg": lambda features, config: SLSIGReg(features, config.sl_sigreg),
    "sl-fpn": lambda features, config: SLFPN(features, config.sl_fpn),
    "simclr": lambda features, config: SimCLR(features, config.simclr),
    "moco": lambda features, config: MoCo(features, config.moco),
    "byol": lambda features, config: BYOL(features, config.byol),
    "simsiam": lambda features, config: SimSiam(features, config.simsiam),
    "barlow-twins": lambda features, config: BarlowTwins(features, config.barlow_twins),
    "vicreg": lambda features, config: VICReg(features, config.vicreg),
}
