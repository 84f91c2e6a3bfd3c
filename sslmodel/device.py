"""Which device a command computes on."""

from lightning_fabric import Fabric

from poseprep.errors import InputError


def fabric_on(accelerator: str) -> Fabric:
    """Fabric on one device: `gpu`, `cpu`, or with `auto` the GPU where there is one.

    Raises:
        InputError: there is no such device here.
    """
    try:
        return Fabric(accelerator=accelerator, devices=1)
    except (RuntimeError, ValueError, ImportError) as error:
        raise InputError(
            f"--accelerator: {accelerator} is not to be had here ({error}); use cpu or auto"
        ) from error
