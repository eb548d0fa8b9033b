"""Options of the frozen encoders: each is defined here, once."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from typing import Any

from s2robot.config import as_declared, at_least, option
from s2robot.errors import UserError, unknown_name

MERGES = ("concat", "add")
PRECISIONS = ("float32", "float16", "bfloat16")  # PyTorch's names
MOST_PIXELS = 2240**2  # of a frame's scales together: 100 tiles of 224

NETWORK, SCALES, CAMERAS, SPEED = "network", "scales", "cameras", "speed"


@dataclass
class EncoderConfig:
    """The frozen encoder: which one, and the image sizes (S2) that it sees of each camera.

    The metadata `decides` says what a field decides, and so where it is recorded:

        NETWORK   numbers of the network: recorded in its spec, so in store keys and checkpoints
        SCALES    numbers of the map of all scales: recorded in S2's spec, so in store keys and checkpoints
        CAMERAS   settings of single cameras: recorded in checkpoints, and in S2's spec of these cameras
        SPEED     no numbers: never recorded

    A field at its default is left out of what is recorded, so that an option added later leaves the keys of
    stores and checkpoints made before as they are; `always` marks those that were recorded from the start.
    `resolved_as` names the field of `EncoderSpec` that records what the encoder made of the option.
    """

    name: str = option(
        "lite0",
        "a registered encoder or timm/<any timm name>; `s2robot encoders` lists them",
        decides=NETWORK,
        resolved_as="name",
    )
    weights: str | None = option(
        None,
        "checkpoint file instead of the encoder's own weights",
        decides=NETWORK,
        resolved_as="weights_sha256",
    )
    layer: int | None = option(
        None,
        "block or stage whose map is taken, negative from the end; null: last at stride 16",
        decides=NETWORK,
        resolved_as="layer",
    )
    tile: int | None = option(
        None,
        "largest side of a tile in pixels; null: the size that the encoder was trained with",
        decides=NETWORK,
        resolved_as="tile",
    )
    precision: str = option(
        "float32", f"of the arithmetic: {', '.join(PRECISIONS)}", decides=NETWORK, resolved_as="precision"
    )
    sizes: list[int] | None = option(
        None, "side of each scale in pixels; null: [tile, 2 * tile]", decides=SCALES, always=True
    )
    output_grid: list[int] | None = option(
        None,
        "cells [gh,gw] that all scales are pooled to; null: the first scale's",
        decides=SCALES,
        always=True,
    )
    merge: str = option(
        "concat", f"how the scales' channels are merged: {', '.join(MERGES)}", decides=SCALES, always=True
    )
    antialias: bool = option(True, "antialias frames when they are resized", decides=SCALES, always=True)
    camera_sizes: dict[str, list[int]] = option(
        {}, "cameras with sizes of their own", decides=CAMERAS, always=True
    )
    camera_grids: dict[str, list[int]] = option(
        {}, "cameras with output grids of their own", decides=CAMERAS, always=True
    )
    backend: str = option("auto", "auto (measured once), torch, graph, openvino, compile", decides=SPEED)
    max_tiles: int | None = option(
        None, "tiles of one batch: the memory budget; null: the backend's choice", decides=SPEED
    )

    @classmethod
    def of(cls, **values: Any) -> "EncoderConfig":
        """The options with these values by name; `UserError` for unknown names and values that cannot be."""
        known = [f.name for f in fields(cls)]
        for name in values:
            if name not in known:
                raise unknown_name("encoder option", name, known)
        options = cls(**as_declared(cls, values, "encoder."))
        options.check()
        return options

    def check(self) -> None:
        """Raise `UserError` for values that no encoder can take."""
        as_declared(type(self), vars(self), "encoder.")
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        if self.merge not in MERGES:
            raise UserError(f"merge is {' or '.join(map(repr, MERGES))}, not {self.merge!r}")
        given = [name for name in ("tile", "max_tiles") if getattr(self, name) is not None]
        at_least(1, self, *given, group="encoder.")
        for sizes in [self.sizes, *self.camera_sizes.values()]:
            if sizes is not None and (not sizes or min(sizes) <= 0 or len(set(sizes)) < len(sizes)):
                raise UserError(f"S2 needs one or more different positive sizes, not {list(sizes)}")
            check_pixels(sum(size**2 for size in sizes or ()), f"encoder.sizes={list(sizes or ())!s:.60}")
        for grid in [self.output_grid, *self.camera_grids.values()]:
            if grid is not None and (len(grid) != 2 or min(grid) < 1):
                raise UserError(
                    f"an output grid is rows and columns of cells, e.g. [28,28], not {list(grid)} "
                    "(1 or more of each)"
                )
            if grid is not None:
                check_pixels(grid[0] * grid[1], f"the output grid {list(grid)}")

    def resolved(self, tile: int, stride: int) -> "EncoderConfig":
        """These options with sizes as numbers, for an encoder of this tile and stride (pixels)."""
        side = max(tile // stride, 1) * stride
        return replace(self, sizes=list(self.sizes or (side, 2 * side)))

    def of_camera(self, camera: str) -> "EncoderConfig":
        """The options of one camera: its own sizes and output grid where it has them."""
        return replace(
            self,
            sizes=self.camera_sizes.get(camera, self.sizes),
            output_grid=self.camera_grids.get(camera, self.output_grid),
            camera_sizes={},
            camera_grids={},
        )

    def recorded(self, *decides: str) -> dict[str, Any]:
        """Plain data of the options that decide these things, as specs and checkpoints keep it."""
        kept = [f for f in fields(self) if f.metadata["decides"] in decides and _resolved_as(f) is None]
        values = {f.name: getattr(self, f.name) for f in kept}
        plain = {
            f.name: values[f.name] for f in kept if f.metadata.get("always") or values[f.name] != _default(f)
        }
        return json.loads(json.dumps(plain, default=int))  # NumPy has integers of its own


def check_pixels(pixels: int, what: str) -> None:
    """Raise `UserError` for scales that have more pixels together than any policy reads."""
    if pixels > MOST_PIXELS:
        raise UserError(f"{what} has {pixels} pixels in all, at most {MOST_PIXELS} are encoded")


def from_recorded(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The options in what a checkpoint records of its encoders (`CameraEncoders.spec_dict`), by name.

    Raises `UserError` where that is no such description; the weights are recorded by their checksum alone.
    """
    base = plain.get("base") if isinstance(plain, Mapping) else None
    if not isinstance(base, Mapping) or not {"name", "sizes"} <= plain.keys():
        raise UserError("the description of its encoders is damaged: it needs a base, a name and sizes")
    options = {key: value for key, value in plain.items() if key != "base"}
    here = {f.name for f in fields(EncoderConfig) if f.metadata["decides"] in (SCALES, CAMERAS)}
    for name in options:
        if name not in here | {"name"}:
            raise unknown_name("recorded encoder option", name, here)
    for f in fields(EncoderConfig):
        place = _resolved_as(f) or f.name
        if f.metadata["decides"] == NETWORK and f.name not in ("name", "weights") and place in base:
            options[f.name] = base[place]
    return options


def decides_numbers(name: str) -> bool:
    """Whether an option is part of store keys and checkpoints."""
    return any(f.name == name and f.metadata["decides"] != SPEED for f in fields(EncoderConfig))


def _resolved_as(f: Field[Any]) -> str | None:
    return f.metadata.get("resolved_as")


def _default(f: Field[Any]) -> Any:
    return f.default if f.default_factory is MISSING else f.default_factory()
