"""A small random network with a class token and batch norm: what the packaged encoders do not have."""

from typing import Any

import torch
from torch import Tensor, nn

from s2robot.encoders.network import NetworkEncoder, Pretrained
from s2robot.encoders.options import EncoderConfig
from s2robot.encoders.s2 import S2
from s2robot.encoders.spec import EncoderSpec


class TinyVit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.BatchNorm2d(8), nn.GELU(), nn.Conv2d(8, 6, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        cells = self.net(x)
        return cells, cells.flatten(2).amax(2)[:, None]


def tiny_pretrained(tile: int = 32) -> Pretrained:
    def build() -> nn.Module:
        torch.manual_seed(0)
        return TinyVit()

    spec = EncoderSpec(
        "tiny", 6, 8, tile, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), "bicubic", 1, "0" * 64, "float32"
    )
    return Pretrained(spec, build)


def on_cpu(pretrained: Pretrained, backend: str = "torch", **options: Any) -> NetworkEncoder:
    """A network as an encoder, with options by name."""
    return NetworkEncoder(pretrained, EncoderConfig.of(backend=backend, **options), "cpu")


def tiny_s2(sizes: tuple[int, ...], tile: int = 32, **options: Any) -> S2:
    return S2(on_cpu(tiny_pretrained(tile), sizes=sizes, **options))
