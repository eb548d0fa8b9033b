"""All that decides an encoder's numbers, as plain data: it goes into store keys and checkpoints."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from s2robot.encoders.options import SCALES, EncoderConfig, check_pixels, decides_numbers
from s2robot.encoders.tiles import Tiling, make_tiling
from s2robot.errors import UserError


@dataclass(frozen=True)
class EncoderSpec:
    """What the authors of an encoder fixed, and the options that decide its numbers."""

    name: str
    channels: int  # of the feature map
    stride: int  # pixels of the network's input per cell of the grid
    tile: int  # side in pixels of the square inputs: those that its weights were trained on, unless chosen
    mean: tuple[float, float, float]  # of RGB in [0, 1]
    std: tuple[float, float, float]
    interpolation: str  # that its authors resized with: "bicubic" or "bilinear"
    prefix_tokens: int
    weights_sha256: str
    precision: str  # of the network's arithmetic, one of `options.PRECISIONS`
    # Block or stage that the map is taken from, where it is not the encoder's usual one:
    layer: int | None = field(default=None, kw_only=True)
    # The other options (`EncoderConfig.recorded`), by name:
    options: Mapping[str, Any] = field(default_factory=dict, kw_only=True, hash=False)

    def grid(self, h: int, w: int) -> tuple[int, int]:
        """Cells (gh, gw) of the map of an image of h x w pixels; UserError if it takes no such image."""
        if h < self.stride or w < self.stride or h % self.stride or w % self.stride:
            raise UserError(
                f"encoder {self.name!r} takes sides that are multiples of {self.stride}, not {h}x{w}"
            )
        return h // self.stride, w // self.stride

    @property
    def prefix_shape(self) -> tuple[int, int] | None:
        """(p, c) of the prefix tokens of an image; None of encoders that have none."""
        return (self.prefix_tokens, self.channels) if self.prefix_tokens else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, equal to what JSON gives back; options stand beside the other fields."""
        plain = _shallow(self)
        del plain["options"]
        if self.layer is None:  # an option added later: without it, keys of stores are what they were
            del plain["layer"]
        return json.loads(json.dumps({**plain, **self.options}))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "EncoderSpec":
        """Inverse of `to_dict`."""
        own = {f.name for f in fields(cls)} - {"options"}
        options = {name: value for name, value in plain.items() if name not in own and decides_numbers(name)}
        if differing := own ^ (plain.keys() - options.keys() | {"layer"}):
            raise UserError(
                f"the spec of an encoder has other fields than expected: {', '.join(sorted(differing))}"
            )
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in plain.items() if k in own
        }
        return cls(**values, options=options)


@dataclass(frozen=True)
class S2Spec(EncoderSpec):
    """The spec of an encoder with S2 around it; `channels` are those of the merged map."""

    revision: int = 1  # raised when the same settings come to give other numbers, so that stores part

    @classmethod
    def of(cls, base: EncoderSpec, options: EncoderConfig) -> "S2Spec":
        """S2 with these options, whose sizes are numbers, around an encoder."""
        added = options.recorded(SCALES)
        scales = len(added["sizes"]) if options.merge == "concat" else 1
        changes = {"channels": base.channels * scales, "options": {**base.options, **added}}
        return cls(**{**_shallow(base), **changes})

    def __post_init__(self) -> None:
        for size in self.sizes:
            if size % self.stride:
                low = size // self.stride * self.stride
                raise UserError(
                    f"S2 size {size} is no multiple of the {self.stride} pixels that a cell of {self.name!r} "
                    f"takes; near it: {low or self.stride}, {low + self.stride}"
                )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Side in pixels of each scale."""
        return tuple(self.options["sizes"])

    def tilings(self, h: int, w: int) -> list[Tiling]:
        """How each scale of frames of h x w pixels is cut.

        A size is the shorter side of its scale; the longer one keeps the frame's proportions to within
        half a cell.
        """
        if min(h, w) < 1:
            raise UserError(f"S2 takes frames of 1x1 pixels or more, not {h}x{w}")
        longer = max(h, w) / min(h, w)
        tilings = []
        for size in self.sizes:
            other = round(size * longer / self.stride) * self.stride
            height, width = (size, other) if h <= w else (other, size)
            check_pixels(
                height * width, f"{self.name}: a frame of {h}x{w} pixels with its shorter side at {size}"
            )
            tilings.append(make_tiling(height, width, self.tile, self.stride))
        return tilings

    def scale_grids(self, h: int, w: int) -> list[tuple[int, int]]:
        """Cells of each scale's own map, before all are pooled to `grid`."""
        return [(t.height // self.stride, t.width // self.stride) for t in self.tilings(h, w)]

    def grid(self, h: int, w: int) -> tuple[int, int]:
        grid = self.options["output_grid"]
        return (grid[0], grid[1]) if grid else self.scale_grids(h, w)[0]


def _shallow(spec: EncoderSpec) -> dict[str, Any]:
    return {f.name: getattr(spec, f.name) for f in fields(spec)}
