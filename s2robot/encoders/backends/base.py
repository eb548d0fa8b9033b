"""What runs a frozen network: the contract of a backend.

A backend maps batches of tiles in 0..255 to features. It is given a function that builds the network and
calls it only when it has to, so an encoder whose features are all stored costs nothing to make.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.encoders.spec import EncoderSpec
from s2robot.types import Features

Build = Callable[[], nn.Module]


class Backend:
    """Base of all backends."""

    device: torch.device  # where tiles should be and features come out
    max_tiles: int  # tiles of one batch that it handles best: memory on a GPU, cache and allocator on a CPU

    @property
    def name(self) -> str:
        raise NotImplementedError

    def beside(self) -> AbstractContextManager[None]:
        """What to make tiles and merge maps in, so that PyTorch leaves the cores to this backend."""
        raise NotImplementedError

    def map(self, batches: Iterable[Float[Tensor, "n 3 h w"]]) -> list[Features]:
        """Features of each batch of tiles (float32, 0..255); a batch may be drawn while earlier ones run."""
        raise NotImplementedError


@runtime_checkable
class FitsTile(Protocol):
    """A network that computes what depends on the tile's size alone, once."""

    def fit_tile(self, h: int, w: int) -> None: ...


class Normalised(nn.Module):
    """A network that takes pixels in 0..255 instead of normalised ones."""

    mean: Tensor
    scale: Tensor

    def __init__(self, network: nn.Module, spec: EncoderSpec) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", 255 * torch.tensor(spec.mean).view(1, 3, 1, 1))
        self.register_buffer("scale", 1 / (255 * torch.tensor(spec.std).view(1, 3, 1, 1)))

    def forward(self, pixels: Float[Tensor, "n 3 h w"]) -> Tensor | tuple[Tensor, Tensor]:
        return self.network((pixels - self.mean) * self.scale)


def frozen(network: nn.Module, spec: EncoderSpec) -> nn.Module:
    return Normalised(network, spec).eval().requires_grad_(False)
