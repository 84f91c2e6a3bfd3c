"""SL-FPN's three branches without its collapse: variance and covariance terms."""

from sslmodel.config import SLVICRegConfig
from sslmodel.objectives.vicreg import VICReg


class SLVICReg(VICReg):
    """The original clip and its two views pulled together, every dimension alive; no negatives.

    The loss is VICReg's over three branches and their three pairs, where it has two and one.
    Sources: the branches, Basso Madjoukeng et al., arXiv 2509.05188; the terms, Bardes et al.,
    VICReg, arXiv 2105.04906, eqs. 1–6.

    Args:
        features: D, the length of an embedding.
        config: weights, the sizes of the head, and whether the original is a branch.
    """

    def __init__(self, features: int, config: SLVICRegConfig):
        super().__init__(features, config)
        self.reads_original = config.original
