"""Normalisation whose statistics are buffers: they travel with the weights, the dataset may go away."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.policies.options.base import NORMALISATIONS

RESOLUTION = 1e-6  # of the magnitude of float32 numbers: what varies less only varies by rounding
NOISE = 1e-4  # at most so much is taken for the noise of a constant, whatever the magnitude


class Normalizer(nn.Module):
    """An affine map per dimension: `limits` onto [-1, 1], `gaussian` onto mean 0 and deviation 1.

    A constant dimension has a scale of 0: it is only shifted, and whatever a network says of it comes back as
    the constant. A range that is tiny but real is mapped as any other. Untrained, it is the identity, so that
    weights can be loaded into it.
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))

    @torch.no_grad()
    def fit(self, values: Float[Tensor, "n d"], mode: str = "limits") -> "Normalizer":
        """Take the statistics of `values`; returns itself."""
        if mode not in NORMALISATIONS:
            raise ValueError(f"unknown normalisation {mode!r}; known: {', '.join(NORMALISATIONS)}")
        values = values.double()
        if mode == "limits":
            low, high = values.amin(0), values.amax(0)
            offset, spread = (high + low) / 2, (high - low) / 2
        else:
            offset, spread = values.mean(0), values.std(0, correction=0)
        self.offset.copy_(offset)
        self.scale.copy_(torch.where(spread <= noise_of(values), 0.0, spread))
        return self

    def forward(self, values: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
        return (values - self.offset) / torch.where(self.scale == 0, 1.0, self.scale)

    def denormalize(self, values: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
        return values * self.scale + self.offset


def noise_of(values: Float[Tensor, "n d"]) -> Float[Tensor, "d"]:
    """The spread below which a dimension is constant.

    Rounding is relative to a dimension's own magnitude. A simulator's noise around zero (of a quaternion that
    should be 0) is relative to the magnitude of the whole vector, and never above `NOISE`.
    """
    own = values.abs().amax(0)
    return torch.maximum(RESOLUTION * own, (RESOLUTION * own.max()).clamp(max=NOISE))
