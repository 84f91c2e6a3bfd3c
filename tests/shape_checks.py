"""Calls within the project are checked against their annotations, shapes too (see conftest.py)."""

from importlib import import_module

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

# An int is good enough for a float, as PEP 484 says.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def install(with_torch: bool) -> None:
    """Check what is imported from now on.

    Args:
        with_torch: torch and its like are imported first. From below a checked module jaxtyping has
            them compiled anew (once, or always where no bytecode is written), which takes three
            times as long; where nobody needs them, it is faster without.
    """
    if with_torch:
        for name in ("torch_geometric", "lightning_fabric", "matplotlib.pyplot", "scipy.stats"):
            import_module(name)
    install_import_hook(["poseprep", "sslmodel"], "shape_checks.check")
