"""Networks that denoise a chunk of actions, given what was observed and how noisy the chunk is."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

GROUPS = 8  # of the group norms


class ConditionalUNet1d(nn.Module):
    """1-D convolutional U-Net over the action chunk with FiLM conditioning.

    The architecture of Diffusion Policy (arXiv 2303.04137, its CNN variant): at each resolution two
    residual blocks whose channels are scaled and shifted by the condition; halving the chunk on
    the way down, doubling and skip connections on the way up. The chunk's length must be divisible by
    2 ** (len(channels) - 1).
    """

    def __init__(self, action_dim: int, cond_dim: int, channels: Sequence[int] = (64, 128)) -> None:
        super().__init__()
        time_dim = channels[0]
        self.time = nn.Sequential(
            SinusoidalEmbedding(time_dim),
            nn.Linear(time_dim, 4 * time_dim),
            nn.Mish(),
            nn.Linear(4 * time_dim, time_dim),
        )
        cond = cond_dim + time_dim
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        width = action_dim
        for i, out in enumerate(channels):
            halve = nn.Conv1d(out, out, 3, stride=2, padding=1) if i + 1 < len(channels) else nn.Identity()
            self.down.append(Stage(width, out, cond))
            self.down.append(halve)
            width = out
        self.middle = Stage(width, width, cond)
        for i, skip in reversed(list(enumerate(channels))):
            out = channels[max(i - 1, 0)]
            double = nn.ConvTranspose1d(out, out, 4, stride=2, padding=1) if i else nn.Identity()
            self.up.append(Stage(width + skip, out, cond))
            self.up.append(double)
            width = out
        self.last = nn.Sequential(ConvBlock(width, width), nn.Conv1d(width, action_dim, 1))

    def forward(
        self, actions: Float[Tensor, "b ta da"], timestep: Int[Tensor, "b"], cond: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b ta da"]:
        x = actions.transpose(1, 2)  # b da ta
        cond = F.mish(torch.cat([self.time(timestep), cond], dim=-1))
        skips = []
        for layer in self.down:
            if isinstance(layer, Stage):
                x = layer(x, cond)
                skips.append(x)
            else:
                x = layer(x)
        x = self.middle(x, cond)
        for layer in self.up:
            x = layer(torch.cat([x, skips.pop()], dim=1), cond) if isinstance(layer, Stage) else layer(x)
        return self.last(x).transpose(1, 2)  # b ta da


class Stage(nn.Module):
    """Two residual blocks: what the U-Net does at one resolution."""

    def __init__(self, channels_in: int, channels_out: int, cond_dim: int) -> None:
        super().__init__()
        self.first = ResidualBlock(channels_in, channels_out, cond_dim)
        self.second = ResidualBlock(channels_out, channels_out, cond_dim)

    def forward(self, x: Float[Tensor, "b c t"], cond: Float[Tensor, "b d"]) -> Float[Tensor, "b c2 t"]:
        return self.second(self.first(x, cond), cond)


class ResidualBlock(nn.Module):
    """Two convolutions with FiLM (scale and shift from the condition) between them."""

    def __init__(self, channels_in: int, channels_out: int, cond_dim: int) -> None:
        super().__init__()
        self.first = ConvBlock(channels_in, channels_out)
        self.second = ConvBlock(channels_out, channels_out)
        self.film = nn.Linear(cond_dim, 2 * channels_out)
        same = channels_in == channels_out
        self.skip = nn.Identity() if same else nn.Conv1d(channels_in, channels_out, 1)

    def forward(self, x: Float[Tensor, "b c t"], cond: Float[Tensor, "b d"]) -> Float[Tensor, "b c2 t"]:
        scale, shift = self.film(cond)[..., None].chunk(2, dim=1)
        return self.second(self.first(x) * (1 + scale) + shift) + self.skip(x)


class ConvBlock(nn.Sequential):
    """Convolution over time, group norm, Mish."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 5) -> None:
        super().__init__(
            nn.Conv1d(channels_in, channels_out, kernel, padding=kernel // 2),
            nn.GroupNorm(GROUPS, channels_out),
            nn.Mish(),
        )


class SinusoidalEmbedding(nn.Module):
    """Sines and cosines of a timestep ("Attention Is All You Need", section 3.5)."""

    frequencies: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        powers = torch.arange(dim // 2) / (dim // 2 - 1)
        self.register_buffer("frequencies", torch.exp(-math.log(10_000) * powers), persistent=False)

    def forward(self, timestep: Int[Tensor, "b"]) -> Float[Tensor, "b d"]:
        angles = timestep[:, None].float() * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=-1)
