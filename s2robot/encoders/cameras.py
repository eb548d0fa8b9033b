"""One frozen encoder for all cameras, each looking at its own sizes.

Stores and rollouts both read frames through this object, so what a policy was trained on is what it sees.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from s2robot.encoders import ENCODERS, S2, NetworkEncoder
from s2robot.errors import UserError
from s2robot.types import Features

Grid = tuple[int, int]  # rows and columns of cells


class EncoderSettings(Protocol):
    """The options of a configuration that choose the encoders; see `make_encoder` for what they mean."""

    name: str
    weights: str | None
    sizes: list[int]
    camera_sizes: dict[str, list[int]]
    output_grid: list[int] | None
    camera_grids: dict[str, list[int]]
    merge: str
    antialias: bool
    layer: int | None
    precision: str
    backend: str


class CameraEncoders:
    """S2 encoders that share one base network.

    `sizes` and `output_grid` hold for every camera but those in `camera_sizes` and `camera_grids`.
    """

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
        camera_grids: Mapping[str, Sequence[int]] | None = None,
        layer: int | None = None,
        max_tiles: int | None = None,
    ) -> None:
        self.name = name
        self.sizes = tuple(sizes)
        self.camera_sizes = {camera: tuple(own) for camera, own in (camera_sizes or {}).items()}
        self.antialias, self.merge = antialias, merge
        self.output_grid = None if output_grid is None else _grid(output_grid)
        self.camera_grids = {camera: _grid(own) for camera, own in (camera_grids or {}).items()}
        self.base = NetworkEncoder(ENCODERS[name](weights, layer), backend, device, precision, max_tiles)
        self._made: dict[tuple[tuple[int, ...], Grid | None], S2] = {}
        self._make(self.sizes, self.output_grid)  # now, so that sizes that do not fit are refused now
        for camera in self.named_cameras:
            self.encoder(camera)

    @property
    def named_cameras(self) -> list[str]:
        """The cameras that have settings of their own."""
        return sorted({*self.camera_sizes, *self.camera_grids})

    def encoder(self, camera: str) -> S2:
        """The encoder of a camera; any name is a camera, and has the common settings unless given its own."""
        grid = self.camera_grids.get(camera, self.output_grid)
        return self._make(self.camera_sizes.get(camera, self.sizes), grid)

    def encode(self, camera: str, images: UInt8[np.ndarray | Tensor, "b h w 3"]) -> Features:
        """Features (float32) of a camera's frames; raises UserError as `Encoder.encode` does."""
        return self.encoder(camera).encode(images)

    def feature_shape(self, camera: str, image_size: tuple[int, int]) -> tuple[int, int, int]:
        """(c, gh, gw) of a camera with frames of `image_size` (h, w); UserError if they cannot be taken."""
        spec = self.encoder(camera).spec
        return (spec.channels, *spec.grid(*image_size))

    def prefix_shape(self, camera: str) -> tuple[int, int] | None:
        """(p, c) of the prefix tokens of a camera's frames; None if the base network has none."""
        return self.encoder(camera).spec.prefix_shape

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
            "camera_grids": {camera: list(own) for camera, own in self.camera_grids.items()},
            "base": self.base.spec.to_dict(),
        }

    @classmethod
    def from_config(cls, config: EncoderSettings, device: str | torch.device | None = None) -> Self:
        """The encoders that a configuration asks for."""
        return cls(
            config.name,
            config.sizes,
            config.camera_sizes,
            weights=config.weights,
            backend=config.backend,
            device=device,
            precision=config.precision,
            antialias=config.antialias,
            merge=config.merge,
            output_grid=config.output_grid,
            camera_grids=config.camera_grids,
            layer=config.layer,
        )

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

    def _make(self, sizes: tuple[int, ...], grid: Grid | None) -> S2:
        if (sizes, grid) not in self._made:
            self._made[sizes, grid] = S2(self.base, sizes, self.antialias, self.merge, grid)
        return self._made[sizes, grid]


def _grid(cells: Sequence[int]) -> Grid:
    if len(cells) != 2:
        raise UserError(f"an output grid is rows and columns of cells, e.g. [28,28], not {list(cells)}")
    return cells[0], cells[1]
