"""S2 as an encoder: camera frames in their native resolution in, one map of all scales out."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from s2robot.encoders.base import Encoder, EncoderSpec, Features
from s2robot.encoders.network import NetworkEncoder
from s2robot.encoders.s2 import pool, resize
from s2robot.encoders.tiles import Tiling, make_tiling
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
            if size % self.stride:
                low = size // self.stride * self.stride
                raise UserError(
                    f"S2 size {size} is no multiple of the {self.stride} pixels that a cell of {self.name!r} "
                    f"takes; near it: {low or self.stride}, {low + self.stride}"
                )

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
            tilings.append(make_tiling(height, width, self.tile, self.stride))
        return tilings

    def scale_grids(self, h: int, w: int) -> list[tuple[int, int]]:
        """Cells of each scale's own map, before all are pooled to `grid`."""
        return [(t.height // self.stride, t.width // self.stride) for t in self.tilings(h, w)]

    def grid(self, h: int, w: int) -> tuple[int, int]:
        return self.output_grid or self.scale_grids(h, w)[0]


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

    def _encode(self, frames: UInt8[Tensor, "b h w 3"]) -> Features:
        h, w = frames.shape[1:3]
        tilings, grid = self.spec.tilings(h, w), self.spec.grid(h, w)
        batches = list(_by_tile(tilings).values())  # which scales share a batch
        tiles_per_frame = sum(tiling.count for tiling in tilings)
        groups = frames.split(max(1, self.backend.max_tiles // tiles_per_frame))
        with self.backend.beside():
            outs = iter(
                self.backend.map(tiles for group in groups for tiles in self._tiles(group, tilings, batches))
            )
            merged = [self._merge(outs, len(group), tilings, batches, grid) for group in groups]
            maps, prefixes = zip(*merged, strict=True)
            return Features(torch.cat(maps), torch.cat(prefixes) if self.spec.prefix_tokens else None)

    def _tiles(
        self, frames: UInt8[Tensor, "b h w 3"], tilings: Sequence[Tiling], batches: Sequence[Sequence[int]]
    ) -> Iterator[Float[Tensor, "n 3 th tw"]]:
        """For each batch, the tiles of all its scales, in 0..255."""
        pixels = frames.to(self.backend.device).permute(0, 3, 1, 2).float().contiguous()  # b 3 h w
        for scales in batches:
            cut = [tilings[i].split(self._scale(pixels, tilings[i])) for i in scales]
            yield torch.cat(cut)

    def _scale(self, pixels: Float[Tensor, "b 3 h w"], tiling: Tiling) -> Float[Tensor, "b 3 sh sw"]:
        size = (tiling.height, tiling.width)
        scaled = resize(pixels, size, self.spec.interpolation, self.spec.antialias)
        # bicubic resizing overshoots at edges; the reference leaves that, everyone else clips it
        return scaled.clamp(0, 255) if self.spec.antialias and scaled is not pixels else scaled

    def _merge(
        self,
        outs: Iterator[Features],
        b: int,
        tilings: Sequence[Tiling],
        batches: Sequence[Sequence[int]],
        grid: tuple[int, int],
    ) -> tuple[Tensor, Tensor | None]:
        """The features of b frames, from those of the batches that `_tiles` made of them."""
        maps: dict[int, Tensor] = {}
        prefixes: dict[int, Tensor] = {}
        for scales in batches:
            out = next(outs)
            counts = [b * tilings[i].count for i in scales]
            for i, part in zip(scales, out.map.split(counts), strict=True):
                maps[i] = pool(tilings[i].merge(part, self.spec.stride), grid)  # b c gh gw
            if out.prefix is not None:
                for i, part in zip(scales, out.prefix.split(counts), strict=True):
                    prefixes[i] = part.unflatten(0, (-1, b)).mean(0)  # b p c
        order = range(len(tilings))
        prefix = self._stack([prefixes[i] for i in order], dim=2) if prefixes else None
        return self._stack([maps[i] for i in order], dim=1), prefix

    def _stack(self, scales: list[Tensor], dim: int) -> Tensor:
        return torch.cat(scales, dim) if self.spec.merge == "concat" else torch.stack(scales).sum(0)


def _by_tile(tilings: Sequence[Tiling]) -> dict[tuple[int, int], list[int]]:
    """Height and width of a tile -> the scales cut into such tiles: they share a batch."""
    scales: dict[tuple[int, int], list[int]] = {}
    for i, tiling in enumerate(tilings):
        scales.setdefault(tiling.tile, []).append(i)
    return scales
