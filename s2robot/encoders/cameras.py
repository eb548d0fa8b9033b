"""One frozen encoder for all cameras, each looking at its own sizes.

Stores and rollouts both read frames through this object, so what a policy was trained on is what it sees.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from s2robot.encoders import ENCODERS, S2, NetworkEncoder
from s2robot.errors import UserError


class EncoderSettings(Protocol):
    """The options of a configuration that choose the encoders."""

    name: str
    sizes: list[int]
    camera_sizes: dict[str, list[int]]
    backend: str


class CameraEncoders:
    """S2 encoders that share one base network: `sizes` for every camera but those in `camera_sizes`."""

    def __init__(
        self,
        name: str,
        sizes: Sequence[int] = (224, 448),
        camera_sizes: Mapping[str, Sequence[int]] | None = None,
        *,
        weights: str | Path | None = None,
        backend: str = "auto",
        device: str | torch.device | None = None,
        precision: str = "float32",
        antialias: bool = True,
        merge: str = "concat",
        output_grid: Sequence[int] | None = None,
        layer: int | None = None,
        max_tiles: int | None = None,
    ) -> None:
        self.name = name
        self.sizes = tuple(sizes)
        self.camera_sizes = {camera: tuple(own) for camera, own in (camera_sizes or {}).items()}
        self.antialias, self.merge = antialias, merge
        self.output_grid = None if output_grid is None else (output_grid[0], output_grid[1])
        self.base = NetworkEncoder(ENCODERS[name](weights, layer), backend, device, precision, max_tiles)
        self._made: dict[tuple[int, ...], S2] = {}
        for own in (self.sizes, *self.camera_sizes.values()):
            self._make(own)  # now, so that sizes that do not fit are refused now

    def encoder(self, camera: str) -> S2:
        """The encoder of a camera; any name is a camera, and has the default sizes unless given its own."""
        return self._make(self.camera_sizes.get(camera, self.sizes))

    def encode(
        self, camera: str, images: UInt8[np.ndarray | Tensor, "b h w 3"]
    ) -> Float[Tensor, "b c gh gw"]:
        """Feature maps (float32) of a camera's frames; raises UserError as `Encoder.encode` does."""
        return self.encoder(camera).encode(images).map

    def feature_shape(self, camera: str, image_size: tuple[int, int]) -> tuple[int, int, int]:
        """(c, gh, gw) of a camera with frames of `image_size` (h, w); UserError if they cannot be taken."""
        spec = self.encoder(camera).spec
        return (spec.channels, *spec.grid(*image_size))

    def scales(self, camera: str) -> int:
        """How many scales stand one behind the other in the channels of a camera's map."""
        return len(self.encoder(camera).spec.sizes) if self.merge == "concat" else 1

    def spec_dict(self) -> dict[str, Any]:
        """All that decides the features, as plain data for a checkpoint."""
        return {
            "name": self.name,
            "sizes": list(self.sizes),
            "camera_sizes": {camera: list(own) for camera, own in self.camera_sizes.items()},
            "antialias": self.antialias,
            "merge": self.merge,
            "output_grid": None if self.output_grid is None else list(self.output_grid),
            "base": self.base.spec.to_dict(),
        }

    @classmethod
    def from_config(cls, config: EncoderSettings, device: str | torch.device | None = None) -> Self:
        """The encoders that a configuration asks for."""
        return cls(config.name, config.sizes, config.camera_sizes, backend=config.backend, device=device)

    @classmethod
    def from_dict(
        cls,
        plain: Mapping[str, Any],
        device: str | torch.device | None = None,
        backend: str = "auto",
        weights: str | Path | None = None,
    ) -> Self:
        """The encoders of `spec_dict`; UserError if weights or preprocessing here are not those recorded."""
        settings = {key: value for key, value in plain.items() if key != "base"}
        settings |= {"precision": plain["base"]["precision"], "layer": plain["base"].get("layer")}
        encoders = cls(**settings, weights=weights, backend=backend, device=device)
        have, want = encoders.base.spec.to_dict(), plain["base"]
        differing = sorted(key for key in have.keys() | want.keys() if have.get(key) != want.get(key))
        if differing:
            key = differing[0]
            raise UserError(
                f"encoder {encoders.name!r} differs from the one recorded in {', '.join(differing)}: "
                f"{key} is {have.get(key)!r}, recorded was {want.get(key)!r}"
            )
        return encoders

    def _make(self, sizes: tuple[int, ...]) -> S2:
        if sizes not in self._made:
            self._made[sizes] = S2(self.base, sizes, self.antialias, self.merge, self.output_grid)
        return self._made[sizes]
