"""What every backbone is: an encoder's standardised inputs in, an embedding out."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


class Backbone(nn.Module):
    """Embeds standardised inputs; what is missing is 0, and the last channel says what is seen.

    Each is made of (skeleton, channels, config): the V points in the order of the input, C of the
    inputs, and the sizes.
    """

    def forward(self, x: Float[Tensor, "B T V C"]) -> Float[Tensor, "B D"]:
        """One embedding a clip."""
        raise NotImplementedError

    def late_layers(self) -> Sequence[nn.Module]:
        """The layers that fine-tuning trains when it trains the last ones alone."""
        raise NotImplementedError
