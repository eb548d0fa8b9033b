"""An encoder that is one frozen network seeing the whole image at its own resolution."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from s2robot.encoders.backends import make_backend
from s2robot.encoders.base import Encoder, EncoderSpec, Features
from s2robot.errors import UserError


@dataclass(frozen=True)
class Pretrained:
    """A spec and how to build the network that it describes.

    The network maps normalised float "b 3 h w" to a map "b c gh gw", or to (map, prefix "b p c").
    """

    spec: EncoderSpec
    build: Callable[[], nn.Module]


class Architecture(Protocol):
    """An entry of `ENCODERS`."""

    @property
    def name(self) -> str: ...

    @property
    def licence(self) -> str:
        """Of its weights."""

    @property
    def source(self) -> str:
        """Where its weights come from."""

    def __call__(self, weights: str | Path | None = None, layer: int | None = None) -> Pretrained:
        """With the encoder's own weights or those of a file; `layer` is the block or stage it ends with.

        Raises UserError in one line if the weights are not here or do not fit.
        """

    def untrained(self, layer: int | None = None) -> Pretrained:
        """With random weights, to learn shapes and costs; free of charge inside `torch.device("meta")`."""


def resolve_layer(name: str, layer: int, layers: int) -> int:
    """The index of a layer counted from the end if negative; UserError if there is none."""
    if not -layers <= layer < layers:
        raise UserError(
            f"encoder {name!r} has layers 0 to {layers - 1} (or negative, from the end), not {layer}"
        )
    return layer % layers


class NetworkEncoder(Encoder):
    """The plain encoder: no resizing, no tiles. S2 is made from one of these."""

    def __init__(
        self,
        pretrained: Pretrained,
        backend: str = "auto",
        device: str | torch.device | None = None,
        precision: str = "float32",
        max_tiles: int | None = None,  # of one batch; the backend's own choice unless given
    ) -> None:
        super().__init__()
        self.spec = replace(pretrained.spec, precision=precision)
        self.backend = make_backend(backend, self.spec, pretrained.build, device)
        if max_tiles is not None:
            if max_tiles < 1:
                raise UserError(f"max_tiles is 1 or more, not {max_tiles}")
            self.backend.max_tiles = max_tiles

    def _encode(self, frames: UInt8[Tensor, "b h w 3"]) -> Features:
        with self.backend.beside():
            pixels = frames.to(self.backend.device).permute(0, 3, 1, 2).float().contiguous()
            (features,) = self.backend.map([pixels])
        return features
