"""What runs a frozen network: the contract of a backend.

A backend maps batches of tiles in 0..255 to features. It is given a function that builds the network and
calls it only when it has to, so an encoder whose features are all stored costs nothing to make.
"""

import gc
import logging
import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.encoders.spec import EncoderSpec
from s2robot.errors import UserError
from s2robot.types import Features

Build = Callable[[], nn.Module]
T = TypeVar("T")

log = logging.getLogger(__name__)


class Backend:
    """Base of all backends."""

    build: Build  # makes the network that it runs
    device: torch.device  # where tiles should be and features come out
    max_tiles: int  # tiles of one batch that it handles best: memory on a GPU, cache and allocator on a CPU
    plans_shapes = False  # whether the first batch of another shape costs seconds
    spec: EncoderSpec

    @property
    def name(self) -> str:
        raise NotImplementedError

    def beside(self) -> AbstractContextManager[None]:
        """What to make tiles and merge maps in, so that PyTorch leaves the cores to this backend."""
        raise NotImplementedError

    def map(self, batches: Iterable[Float[Tensor, "n 3 h w"]]) -> list[Features]:
        """Features of each batch of tiles (float32, 0..255); a batch may be drawn while earlier ones run."""
        raise NotImplementedError

    def forget(self) -> None:
        """Give back memory that is kept for the shapes of batches seen so far; nothing unless overridden."""

    def within_memory(self, encode: Callable[[], T]) -> T:
        """What `encode` gives; while memory does not suffice, again with half as many tiles at once.

        Raises UserError if it does not suffice for one tile.
        """
        while True:
            try:
                return encode()
            except torch.OutOfMemoryError:
                if self.max_tiles == 1:
                    raise UserError(
                        f"{self.device} has too little free memory for one tile of encoder "
                        f"{self.spec.name!r}: end other programs on it, or choose a smaller encoder.tile"
                    ) from None
            self.max_tiles //= 2  # behind the block, so that nothing of the failed call is kept
            log.warning(
                "%s is out of memory; encoding goes on with %d tiles at once", self.device, self.max_tiles
            )
            self.forget()
            if self.device.type == "cuda":
                gc.collect()  # a recorded graph and what it replays hold one another
                torch.cuda.empty_cache()


def equal_parts(count: int, most: int) -> int:
    """The size of the fewest equal parts of `count` that are no larger than `most`; the last may be smaller.

    64 frames of which 51 fit are 32 and 32: one shape, which a GPU plans or compiles once.
    """
    return math.ceil(count / math.ceil(count / most))


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
