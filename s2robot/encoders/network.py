"""An encoder that is one frozen network seeing the whole image at its own resolution."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from s2robot.encoders import ENCODERS
from s2robot.encoders.backends import make_backend
from s2robot.encoders.base import Encoder
from s2robot.encoders.options import NETWORK, EncoderConfig
from s2robot.encoders.spec import EncoderSpec
from s2robot.errors import UserError
from s2robot.types import Features


@dataclass(frozen=True)
class Pretrained:
    """A spec and how to build the network that it describes.

    The network maps normalised float "b 3 h w" to a map "b c gh gw", or to (map, prefix "b p c").
    """

    spec: EncoderSpec
    build: Callable[[], nn.Module]


@runtime_checkable
class Architecture(Protocol):
    """An entry of `ENCODERS`."""

    @property
    def name(self) -> str: ...

    @property
    def about(self) -> str:
        """A few words: the model, and what its weights may not be used for."""

    @property
    def licence(self) -> str:
        """Of its weights."""

    @property
    def source(self) -> str:
        """Where its weights come from."""

    def __call__(self, options: EncoderConfig | None = None) -> Pretrained:
        """With the encoder's own weights or those of `options.weights`, up to `options.layer`.

        Raises UserError in one line if the weights are not here or do not fit.
        """

    def untrained(self, options: EncoderConfig | None = None) -> Pretrained:
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
        options: EncoderConfig | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        super().__init__()
        self.options = options or EncoderConfig()
        self.spec = replace(
            pretrained.spec,
            tile=_tile(self.options.tile, pretrained.spec),
            precision=self.options.precision,
            options=self.options.recorded(NETWORK),
        )
        self.backend = make_backend(self.options.backend, self.spec, pretrained.build, device)
        if self.options.max_tiles is not None:
            self.backend.max_tiles = self.options.max_tiles

    @classmethod
    def of(cls, options: EncoderConfig, device: str | torch.device | None = None) -> "NetworkEncoder":
        """The registered encoder `options.name` with its weights."""
        return cls(ENCODERS[options.name](options), options, device)

    def _encode(self, frames: UInt8[Tensor, "b h w 3"]) -> Features:
        return self.backend.within_memory(lambda: self._map(frames))

    def _map(self, frames: UInt8[Tensor, "b h w 3"]) -> Features:
        with self.backend.beside():
            pixels = frames.to(self.backend.device).permute(0, 3, 1, 2).float().contiguous()
            (features,) = self.backend.map([pixels])
        return features


def _tile(chosen: int | None, spec: EncoderSpec) -> int:
    """Side of a tile in pixels; UserError for a chosen one that is not made of whole cells."""
    if chosen is None or chosen == spec.tile:
        return spec.tile
    if chosen % spec.stride:
        low = chosen // spec.stride * spec.stride
        raise UserError(
            f"encoder.tile={chosen} is no multiple of the {spec.stride} pixels that a cell of {spec.name!r} "
            f"takes; near it: {low or spec.stride}, {low + spec.stride}"
        )
    return chosen
