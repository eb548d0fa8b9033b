"""How one scale of an image is cut into tiles that the network was trained for, and put together again.

An image that square tiles divide is cut as S2's reference does it. Any other, oblong or of another size, is
covered by overlapping tiles of the trained size, evenly spread, and a cell that several tiles see is their
mean. Overlap rather than padding: every tile holds nothing but image, so no cell's features are mixed with
an invented border's, and nothing has to be masked out of attention.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.encoders.arrays import merge


@dataclass(frozen=True)
class Tiling:
    """First rows and columns (pixels) of the tiles of an image of `height` x `width`."""

    height: int
    width: int
    tile: tuple[int, int]  # height and width of each tile
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.tops) * len(self.lefts)

    @property
    def overlaps(self) -> bool:
        return len(self.tops) * self.tile[0] > self.height or len(self.lefts) * self.tile[1] > self.width

    def split(self, pixels: Float[Tensor, "b c h w"]) -> Float[Tensor, "{self.count}*b c th tw"]:
        """The tiles, row by row; the images of one tile position lie next to each other."""
        h, w = self.tile
        return torch.cat([pixels[:, :, y : y + h, x : x + w] for y in self.tops for x in self.lefts])

    def merge(
        self, maps: Float[Tensor, "tiles c g k"], stride: int
    ) -> Float[Tensor, "tiles//{self.count} c gh gw"]:
        """The map of the whole image out of its tiles', `stride` pixels a cell."""
        if len(self.tops) == len(self.lefts) and not self.overlaps:
            return merge(maps, len(self.tops))
        parts = maps.unflatten(0, (self.count, -1))  # n b c g k
        g, k = maps.shape[-2:]
        whole = maps.new_zeros(*parts.shape[1:3], self.height // stride, self.width // stride)
        seen = maps.new_zeros(whole.shape[-2:])
        corners = [(y // stride, x // stride) for y in self.tops for x in self.lefts]
        for part, (y, x) in zip(parts, corners, strict=True):
            whole[..., y : y + g, x : x + k] += part
            seen[y : y + g, x : x + k] += 1
        return whole / seen


def make_tiling(height: int, width: int, tile: int, stride: int) -> Tiling:
    """The tiles (at most `tile` pixels a side) of an image whose sides are multiples of `stride`."""
    rows, columns = math.ceil(height / tile), math.ceil(width / tile)
    equal = (height // rows, width // columns)
    whole = height % (rows * stride) == 0 and width % (columns * stride) == 0
    if whole and equal[0] == equal[1]:
        size = equal
    else:
        full = max(tile // stride, 1) * stride
        size = (min(full, height), min(full, width))
    return Tiling(height, width, size, _starts(height, size[0], stride), _starts(width, size[1], stride))


def _starts(side: int, tile: int, stride: int) -> tuple[int, ...]:
    """Evenly spread, on the grid of cells."""
    n = math.ceil(side / tile)
    step = (side - tile) / stride / max(n - 1, 1)  # cells
    return tuple(round(i * step) * stride for i in range(n))
