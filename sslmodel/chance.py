"""Random numbers by seed, epoch and clip: a clip's view is the same in any batch, on any device.

So a run that is resumed, or divided among processes, sees what it would have seen undisturbed, and
no generator's state has to be saved.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

# splitmix64: Steele, Lea and Flood, OOPSLA 2014, as published by S. Vigna; as signed integers.
_STEP = -0x61C8864680B583EB
_FIRST, _SECOND = -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15
_BITS = 24  # of a uniform number: what float32 holds
_AHEAD = 64  # numbers a clip drawn at once, since most calls want one or two of them


class ClipChance:
    """Draws for the B clips of a batch, each from a stream of its own.

    Streams that differ in seed, epoch, view or clip have nothing to do with each other. Each call
    goes on where the last one stopped, as a torch.Generator does.

    Args:
        clips: (B,) the clips' numbers in the training set, on the device of the draws.
        view: which of several views of a clip.
    """

    def __init__(self, seed: int, epoch: int, clips: Int[Tensor, " B"], view: int = 0):
        self.device = clips.device
        key = torch.zeros_like(clips)
        for number in (seed, epoch, view, clips):
            key = _mixed(key + number)
        self._keys = key
        # (2, B, N): drawn, and not yet given out; two uniform numbers of every 64 bits.
        self._ahead = torch.empty(2, len(key), 0, device=key.device)
        self._drawn = 0

    def uniform(self, *shape: int) -> Float[Tensor, "..."]:
        """Even in 0 ≤ u < 1; the first axis is the clips."""
        return self._pairs(*shape)[0]

    def normal(self, *shape: int) -> Float[Tensor, "..."]:
        """Mean 0, standard deviation 1 (Box and Muller, 1958)."""
        u, v = self._pairs(*shape)
        return (-2 * torch.log1p(-u)).sqrt() * torch.cos(2 * math.pi * v)

    def _pairs(self, batch: int, *shape: int) -> Float[Tensor, "2 ..."]:
        if batch != len(self._keys):
            raise ValueError(f"expected a first axis of {len(self._keys)} clips, found {batch}")
        count = math.prod(shape)
        if count > self._ahead.shape[2]:
            more = max(_AHEAD, count - self._ahead.shape[2])
            place = torch.arange(self._drawn, self._drawn + more, device=self.device)
            bits = _mixed(self._keys[:, None] + place)
            pairs = torch.stack([bits >> (64 - _BITS), bits >> (64 - 2 * _BITS)])
            self._ahead = torch.cat([self._ahead, _as_uniform(pairs)], dim=2)
            self._drawn += more
        given, self._ahead = self._ahead.tensor_split((count,), dim=2)
        return given.reshape(2, batch, *shape)


def _mixed(z: Int[Tensor, "*N"]) -> Int[Tensor, "*N"]:
    """64 bits that look like chance, another for every z."""
    z = (z + 1) * _STEP
    z = (z ^ _shifted(z, 30)) * _FIRST
    z = (z ^ _shifted(z, 27)) * _SECOND
    return z ^ _shifted(z, 31)


def _shifted(z: Int[Tensor, "*N"], bits: int) -> Int[Tensor, "*N"]:
    """To the right, with zeros from the left, as unsigned numbers are."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _as_uniform(bits: Int[Tensor, "*N"]) -> Float[Tensor, "*N"]:
    return (bits & ((1 << _BITS) - 1)).float() * 2.0**-_BITS


def epoch_order(seed: int, epoch: int, count: int) -> Int[Tensor, " N"]:
    """The order of the clips in an epoch; on the CPU, so that it is the same for every device."""
    key = int(_mixed(_mixed(torch.tensor(seed)) + epoch))
    return torch.randperm(count, generator=torch.Generator().manual_seed(key & (2**63 - 1)))
