"""Normalisation whose statistics are buffers: they travel with the weights, the dataset may go away."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.policies.options.base import NORMALISATIONS

SMALLEST_SPREAD = 1e-4  # a dimension that varies less than this is a constant and is only shifted


class Normalizer(nn.Module):
    """An affine map per dimension: `limits` onto [-1, 1], `gaussian` onto mean 0 and deviation 1.

    A constant dimension maps to 0 and comes back exactly. Untrained, it is the identity, so that
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
        self.scale.copy_(torch.where(spread < SMALLEST_SPREAD, torch.ones_like(spread), spread))
        return self

    def forward(self, values: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
        return (values - self.offset) / self.scale

    def denormalize(self, values: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
        return values * self.scale + self.offset
