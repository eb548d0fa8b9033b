"""S2, scaling on scales: the same encoder sees 1x, 2x, 3x of an image and its features are stacked.

Each scale is cut into tiles of the size that the encoder was trained on, the tiles' maps are put together
again, pooled onto one grid and concatenated. Paper: "When Do We Not Need Larger Vision Models?" (arXiv
2403.13043). `S2` is an encoder of camera frames; `forward` gives the numbers of the reference code (PyPI
`scaling-on-scales`, `s2wrapper.forward`) for any model.
"""

import logging
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from s2robot import parallel
from s2robot.encoders.arrays import merge, pool, resize, split
from s2robot.encoders.backends.base import equal_parts
from s2robot.encoders.base import Encoder
from s2robot.encoders.network import NetworkEncoder
from s2robot.encoders.options import EncoderConfig
from s2robot.encoders.spec import S2Spec
from s2robot.encoders.tiles import Tiling
from s2robot.errors import UserError
from s2robot.types import Features

log = logging.getLogger(__name__)


class S2(Encoder):
    """An encoder made from an encoder.

    Each size is made from the camera's frame directly; the frame that has the size already is used as it is.
    Resizing is antialiased by default (the reference's is not): a frame shrunk without it shows the network
    edges and textures that were never there, and they change as the camera or an object moves by a pixel.
    """

    spec: S2Spec

    def __init__(self, base: NetworkEncoder, options: EncoderConfig | None = None) -> None:
        """`options` are those of `base` unless given; the network's own are always those of `base`."""
        super().__init__()
        self.options = (options or base.options).resolved(base.spec.tile, base.spec.stride)
        self.spec = S2Spec.of(base.spec, self.options)
        self.backend = base.backend

    def warn_of_whole_scales(self) -> None:
        """Log one line if a scale after the first is not cut into tiles: it then adds little detail.

        Of several processes that train together one does.
        """
        first, *others = self.spec.sizes
        whole = [size for size in others if size <= self.spec.tile]
        if whole and parallel.is_main():
            log.warning(
                "warning: encoder %r sees %s pixels as one tile, because its tile is %d pixels; "
                "encoder.tile=%d cuts the scales after the first",
                self.spec.name,
                " and ".join(map(str, whole)),
                self.spec.tile,
                first,
            )

    def _encode(self, frames: UInt8[Tensor, "b h w 3"]) -> Features:
        return self.backend.within_memory(lambda: self._in_groups(frames))

    def _in_groups(self, frames: UInt8[Tensor, "b h w 3"]) -> Features:
        h, w = frames.shape[1:3]
        tilings, grid = self.spec.tilings(h, w), self.spec.grid(h, w)
        batches = list(_by_tile(tilings).values())  # which scales share a batch
        tiles_per_frame = sum(tiling.count for tiling in tilings)
        at_once = max(1, self.backend.max_tiles // tiles_per_frame)
        groups = frames.split(equal_parts(len(frames), at_once))
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
        scaled = resize(pixels, size, self.spec.interpolation, self.options.antialias)
        # bicubic resizing overshoots at edges; the reference leaves that, everyone else clips it
        return scaled.clamp(0, 255) if self.options.antialias and scaled is not pixels else scaled

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
        return torch.cat(scales, dim) if self.options.merge == "concat" else torch.stack(scales).sum(0)


def _by_tile(tilings: Sequence[Tiling]) -> dict[tuple[int, int], list[int]]:
    """Height and width of a tile -> the scales cut into such tiles: they share a batch."""
    scales: dict[tuple[int, int], list[int]] = {}
    for i, tiling in enumerate(tilings):
        scales.setdefault(tiling.tile, []).append(i)
    return scales


def forward(
    model: Callable[[Tensor], Tensor],
    input: Float[Tensor, "b c h w"],
    scales: Sequence[float] | None = None,
    img_sizes: Sequence[int] | None = None,
    max_split_size: int | None = None,
    resize_output_to_idx: int = 0,
    num_prefix_token: int = 0,
    output_shape: str = "bnc",
    split_forward: bool = False,
) -> Tensor:
    """Run `model` on several scales of `input`, concatenate the features: a drop-in for `s2wrapper.forward`.

    `input` is whatever the model takes (normalised, square, "b c h w"). `model` gives "b n c"
    (`output_shape="bnc"`, the first `num_prefix_token` of n being no part of the grid) or "b c gh gw"
    (`"bchw"`), and so does this, with `len(scales)` times the channels, on the grid of the scale
    `resize_output_to_idx`; prefix tokens are averaged over a scale's tiles. Sides are `img_sizes`, or
    `scales` times the input's; tiles are at most `max_split_size` (the input's side) wide. `split_forward`
    runs one tile of each image at a time, to save memory.
    Gradients flow. Raises UserError where the reference asserts.
    """
    if input.dim() != 4 or input.shape[2] != input.shape[3]:
        raise UserError(f'S2 takes square images "b c h w", not {tuple(input.shape)}')
    if output_shape not in ("bnc", "bchw"):
        raise UserError(f"output_shape is 'bnc' (tokens) or 'bchw' (maps), not {output_shape!r}")
    if output_shape == "bchw" and num_prefix_token > 0:
        raise UserError("num_prefix_token needs output_shape='bnc': maps have no prefix tokens")
    if scales is None and img_sizes is None:
        raise UserError("S2 needs scales (factors) or img_sizes (pixels)")
    b, side = input.shape[0], input.shape[-1]
    sizes = img_sizes or [int(side * scale) for scale in scales or ()]

    maps, prefixes = [], []
    for size in sizes:
        n = math.ceil(size / (max_split_size or side))
        tiles = split(resize(input, size), n)  # (n n b) c t t
        parts = tiles.split(b) if split_forward else [tiles]
        out = torch.cat([model(part) for part in parts])
        if output_shape == "bnc":
            prefix, out = out[:, :num_prefix_token], out[:, num_prefix_token:]  # (n n b) p c, (n n b) g*g c
            prefixes.append(prefix.unflatten(0, (-1, b)).mean(0))  # b p c
            g = int(out.shape[1] ** 0.5)
            out = out.transpose(1, 2).unflatten(2, (g, g))
        maps.append(merge(out, n))

    grid = maps[resize_output_to_idx].shape[-2:]
    stacked = torch.cat([pool(m, (grid[0], grid[1])) for m in maps], dim=1)
    if output_shape == "bchw":
        return stacked
    tokens = stacked.flatten(2).transpose(1, 2)  # b n c
    return torch.cat([torch.cat(prefixes, dim=-1), tokens], dim=1) if num_prefix_token else tokens
