"""S2 as an encoder: camera frames in their native resolution in, one map of all scales out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from s2robot.encoders.base import Encoder, EncoderSpec, Features
from s2robot.encoders.network import NetworkEncoder
from s2robot.encoders.s2 import merge, pool, resize, split
from s2robot.errors import UserError

MERGES = ("concat", "add")


@dataclass(frozen=True)
class S2Spec(EncoderSpec):
    """What S2 adds to its base encoder's spec; `channels` are those of the merged map."""

    sizes: tuple[int, ...]  # side in pixels of each scale
    antialias: bool
    merge: str
    output_grid: tuple[int, int] | None  # None: the first scale's
    revision: int = 1  # raised when the same settings come to give other numbers, so that stores part

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) <= 0 or len(set(self.sizes)) < len(self.sizes):
            raise UserError(f"S2 needs one or more different positive sizes, not {list(self.sizes)}")
        if self.merge not in MERGES:
            raise UserError(f"merge is 'concat' or 'add', not {self.merge!r}")
        if self.output_grid is not None and min(self.output_grid) < 1:
            raise UserError(f"output_grid is (rows, columns) of cells, 1 or more, not {self.output_grid}")
        for size in self.sizes:
            unit = self.tiles_per_side(size) * self.stride
            if size % unit:
                low = size // unit * unit
                raise UserError(
                    f"S2 size {size} cannot be cut into equal tiles of at most {self.tile} pixels whose side "
                    f"is a multiple of {self.stride}; near it: {low or unit}, {low + unit}"
                )

    def tiles_per_side(self, size: int) -> int:
        return math.ceil(size / self.tile)

    def grid(self, h: int, w: int) -> tuple[int, int]:
        if h != w:
            raise UserError(f"S2 takes square frames, not {h}x{w}: crop them, or render the camera square")
        return self.output_grid or (self.sizes[0] // self.stride,) * 2

    def scale_grids(self, h: int, w: int) -> list[tuple[int, int]]:
        """Cells of each scale's own map, before all are pooled to `grid`."""
        self.grid(h, w)
        return [(size // self.stride,) * 2 for size in self.sizes]


class S2(Encoder):
    """An encoder made from an encoder.

    Each size is made from the camera's frame directly; the frame that has the size already is used as it is.
    Resizing is antialiased by default (the reference's is not): a frame shrunk without it shows the network
    edges and textures that were never there, and they change as the camera or an object moves by a pixel.
    """

    spec: S2Spec

    def __init__(
        self,
        base: NetworkEncoder,
        sizes: Sequence[int] = (224, 448),
        antialias: bool = True,
        merge: str = "concat",
        output_grid: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        channels = base.spec.channels * (len(sizes) if merge == "concat" else 1)
        self.spec = S2Spec(
            **{**asdict(base.spec), "channels": channels},
            sizes=tuple(sizes),
            antialias=antialias,
            merge=merge,
            output_grid=None if output_grid is None else (output_grid[0], output_grid[1]),
        )
        self.backend = base.backend

    @property
    def tiles_per_frame(self) -> int:
        return sum(self.spec.tiles_per_side(size) ** 2 for size in self.spec.sizes)

    def _encode(self, frames: UInt8[Tensor, "b h w 3"]) -> Features:
        grid = self.spec.grid(frames.shape[1], frames.shape[2])
        groups = frames.split(max(1, self.backend.max_tiles // self.tiles_per_frame))
        with self.backend.beside():
            outs = iter(self.backend.map(tiles for group in groups for tiles in self._tiles(group)))
            merged = [self._merge(outs, len(group), grid) for group in groups]
            maps, prefixes = zip(*merged, strict=True)
            return Features(torch.cat(maps), torch.cat(prefixes) if self.spec.prefix_tokens else None)

    def _sizes_by_tile(self) -> dict[int, list[int]]:
        """Side of a tile -> the sizes cut into such tiles: they share a batch."""
        sizes: dict[int, list[int]] = {}
        for size in self.spec.sizes:
            sizes.setdefault(size // self.spec.tiles_per_side(size), []).append(size)
        return sizes

    def _tiles(self, frames: UInt8[Tensor, "b h w 3"]) -> Iterator[Float[Tensor, "n 3 t t"]]:
        """For each side of tiles, the tiles of all its sizes, in 0..255."""
        pixels = frames.to(self.backend.device).permute(0, 3, 1, 2).float().contiguous()  # b 3 h w
        for sizes in self._sizes_by_tile().values():
            scales = [self._scale(pixels, size) for size in sizes]
            yield torch.cat([split(s, self.spec.tiles_per_side(s.shape[-1])) for s in scales])

    def _scale(self, pixels: Float[Tensor, "b 3 h w"], size: int) -> Float[Tensor, "b 3 size size"]:
        scaled = resize(pixels, size, self.spec.interpolation, self.spec.antialias)
        # bicubic resizing overshoots at edges; the reference leaves that, everyone else clips it
        return scaled.clamp(0, 255) if self.spec.antialias and scaled is not pixels else scaled

    def _merge(self, outs: Iterator[Features], b: int, grid: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
        """The features of b frames, from those of the batches that `_tiles` made of them."""
        maps: dict[int, Tensor] = {}
        prefixes: dict[int, Tensor] = {}
        for sizes in self._sizes_by_tile().values():
            out = next(outs)
            counts = [b * self.spec.tiles_per_side(size) ** 2 for size in sizes]
            for size, part in zip(sizes, out.map.split(counts), strict=True):
                maps[size] = pool(merge(part, self.spec.tiles_per_side(size)), grid)  # b c gh gw
            if out.prefix is not None:
                for size, part in zip(sizes, out.prefix.split(counts), strict=True):
                    prefixes[size] = part.unflatten(0, (-1, b)).mean(0)  # b p c
        prefix = self._stack([prefixes[size] for size in self.spec.sizes], dim=2) if prefixes else None
        return self._stack([maps[size] for size in self.spec.sizes], dim=1), prefix

    def _stack(self, scales: list[Tensor], dim: int) -> Tensor:
        return torch.cat(scales, dim) if self.spec.merge == "concat" else torch.stack(scales).sum(0)
