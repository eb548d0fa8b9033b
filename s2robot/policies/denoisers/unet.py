"""A 1-D convolutional U-Net over the action chunk, conditioned by FiLM."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.policies.denoisers.base import Denoiser, time_network
from s2robot.policies.options.generative import GROUPS


class ConditionalUNet1d(Denoiser):
    """The CNN of Diffusion Policy (arXiv 2303.04137).

    At each resolution two residual blocks whose channels are scaled and shifted (FiLM, arXiv 1709.07871) by
    the observation and the noise level; halving the chunk on the way down, doubling and skip connections
    on the way up. The chunk's length must be divisible by 2 ** (len(channels) - 1).

    The scales and shifts of all blocks are one linear layer of the observation and one of the noise level,
    added: both are the same for, respectively, all denoising steps and all observations.
    """

    reads_tokens = False

    def __init__(
        self,
        action_dim: int,
        cond_dim: int,
        channels: Sequence[int] = (64, 128),
        kernel: int = 5,
        embedding: int | None = None,
        time_dim: int | None = None,
    ) -> None:
        """`embedding`: a two-layer network with so many outputs reads the observation first."""
        super().__init__()
        time_dim = time_dim or channels[0]
        self.time = time_network(time_dim, time_dim)
        self.observation = nn.Identity() if embedding is None else _two_layers(cond_dim, embedding)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        width = action_dim
        for i, out in enumerate(channels):
            halve = nn.Conv1d(out, out, 3, stride=2, padding=1) if i + 1 < len(channels) else nn.Identity()
            self.down.append(Stage(width, out, kernel))
            self.down.append(halve)
            width = out
        self.middle = Stage(width, width, kernel)
        for i, skip in reversed(list(enumerate(channels))):
            out = channels[max(i - 1, 0)]
            double = nn.ConvTranspose1d(out, out, 4, stride=2, padding=1) if i else nn.Identity()
            self.up.append(Stage(width + skip, out, kernel))
            self.up.append(double)
            width = out
        self.last = nn.Sequential(ConvBlock(width, width, kernel), nn.Conv1d(width, action_dim, 1))

        stages = [layer for layer in (*self.down, self.middle, *self.up) if isinstance(layer, Stage)]
        self.film_sizes = [2 * stage.channels for stage in stages for _ in ("first", "second")]
        self.film_observation = nn.Linear(embedding or cond_dim, sum(self.film_sizes))
        self.film_time = nn.Linear(time_dim, sum(self.film_sizes), bias=False)

    def read(self, observed: Float[Tensor, "b d"]) -> Float[Tensor, "b m"]:
        return self.film_observation(F.mish(self.observation(observed)))

    def embed(self, times: Float[Tensor, "k"]) -> Float[Tensor, "k m"]:
        return self.film_time(F.mish(self.time(times)))

    def forward(
        self, noisy: Float[Tensor, "b ta da"], level: Float[Tensor, "k m"], seen: Float[Tensor, "b m"]
    ) -> Float[Tensor, "b ta da"]:
        films = iter((level + seen)[..., None].split(self.film_sizes, dim=1))  # b (2 c) 1 for each block
        x = noisy.transpose(1, 2)  # b da ta
        skips = []
        for layer in self.down:
            if isinstance(layer, Stage):
                x = layer(x, next(films), next(films))
                skips.append(x)
            else:
                x = layer(x)
        x = self.middle(x, next(films), next(films))
        for layer in self.up:
            if isinstance(layer, Stage):
                x = layer(torch.cat([x, skips.pop()], dim=1), next(films), next(films))
            else:
                x = layer(x)
        return self.last(x).transpose(1, 2)  # b ta da


class Stage(nn.Module):
    """Two residual blocks: what the U-Net does at one resolution."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__()
        self.channels = channels_out
        self.first = ResidualBlock(channels_in, channels_out, kernel)
        self.second = ResidualBlock(channels_out, channels_out, kernel)

    def forward(
        self, x: Float[Tensor, "b c t"], first: Float[Tensor, "b m 1"], second: Float[Tensor, "b m 1"]
    ) -> Float[Tensor, "b c2 t"]:
        return self.second(self.first(x, first), second)


class ResidualBlock(nn.Module):
    """Two convolutions with FiLM (scale and shift) between them."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__()
        self.first = ConvBlock(channels_in, channels_out, kernel)
        self.second = ConvBlock(channels_out, channels_out, kernel)
        same = channels_in == channels_out
        self.skip = nn.Identity() if same else nn.Conv1d(channels_in, channels_out, 1)

    def forward(self, x: Float[Tensor, "b c t"], film: Float[Tensor, "b m 1"]) -> Float[Tensor, "b c2 t"]:
        scale, shift = film.chunk(2, dim=1)
        return self.second(torch.addcmul(shift, self.first(x), 1 + scale)) + self.skip(x)


class ConvBlock(nn.Sequential):
    """Convolution over time, group norm, Mish."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__(
            nn.Conv1d(channels_in, channels_out, kernel, padding=kernel // 2),
            nn.GroupNorm(GROUPS, channels_out),
            nn.Mish(),
        )


def _two_layers(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.Mish(), nn.Linear(outputs, outputs))
