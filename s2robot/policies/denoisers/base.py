"""The contract of a denoiser: what does not change from one denoising step to the next is computed once.

    seen = net.read(observed)          once a chunk
    levels = net.embed(times)          once a chunk, for all its denoising steps
    net(noisy, levels[i : i + 1], seen)     every step

Training does the same with one noise level for each row.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Denoiser(nn.Module):
    """Base of all denoisers."""

    reads_tokens: bool  # whether `read` takes "b n d", or a vector "b d"

    def read(self, observed: Float[Tensor, "b ..."]) -> Any:
        """What of the observation all denoising steps of a chunk use."""
        raise NotImplementedError

    def embed(self, times: Float[Tensor, "k"]) -> Float[Tensor, "k d"]:
        """Embeddings of noise levels, 0 to about 1000."""
        raise NotImplementedError

    def forward(
        self, noisy: Float[Tensor, "b ta da"], level: Float[Tensor, "k d"], seen: Any
    ) -> Float[Tensor, "b ta da"]:
        """The prediction for a noisy chunk; `level` has k = b rows, or one for all."""
        raise NotImplementedError


def time_network(dim: int, out: int) -> nn.Sequential:
    """Noise level "k" -> "k out"."""
    return nn.Sequential(
        SinusoidalEmbedding(dim), nn.Linear(dim, 4 * dim), nn.Mish(), nn.Linear(4 * dim, out)
    )


class SinusoidalEmbedding(nn.Module):
    """Sines and cosines of a noise level ("Attention Is All You Need", section 3.5)."""

    frequencies: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        powers = torch.arange(dim // 2) / (dim // 2 - 1)
        self.register_buffer("frequencies", torch.exp(-math.log(10_000) * powers), persistent=False)

    def forward(self, times: Float[Tensor, "k"]) -> Float[Tensor, "k d"]:
        angles = times[:, None].float() * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=-1)
