"""What S2 does to images and maps: resize, split into tiles, merge the tiles' maps, pool onto a grid.

Each as in the reference code (PyPI `scaling-on-scales`).
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from s2robot.errors import UserError


def resize(
    pixels: Float[Tensor, "b c h w"],
    size: int | tuple[int, int],
    mode: str = "bicubic",
    antialias: bool = False,
) -> Float[Tensor, "b c sh sw"]:
    """Resize as the reference does, in float32 and back; pixels of that size already are used as they are."""
    sides = (size, size) if isinstance(size, int) else size
    if pixels.shape[-2:] == sides:
        return pixels
    resized = F.interpolate(pixels.float(), sides, mode=mode, antialias=antialias)
    return resized.to(pixels.dtype)


def split(pixels: Float[Tensor, "b c h w"], n: int) -> Float[Tensor, "{n}*{n}*b c h//{n} w//{n}"]:
    """Cut images into n x n tiles, row by row; the images of one tile position lie next to each other."""
    h, w = pixels.shape[-2:]
    if h % n or w % n:
        raise UserError(f"an image of {h}x{w} pixels cannot be cut into {n}x{n} equal tiles")
    tiles = pixels.unflatten(3, (n, w // n)).unflatten(2, (n, h // n))  # b c n t n t
    return tiles.permute(2, 4, 0, 1, 3, 5).flatten(0, 2)


def merge(maps: Float[Tensor, "tiles c g k"], n: int) -> Float[Tensor, "tiles//{n}**2 c {n}*g {n}*k"]:
    """Put the maps of n x n tiles together again: the inverse of `split`."""
    tiles = maps.unflatten(0, (n, n, -1))  # n n b c g k
    return tiles.permute(2, 3, 0, 4, 1, 5).flatten(4, 5).flatten(2, 3)


def pool(maps: Float[Tensor, "b c g k"], grid: tuple[int, int]) -> Float[Tensor, "b c gh gw"]:
    """Average over areas onto another grid, in float32 and back (onto a finer one, cells are repeated)."""
    if tuple(maps.shape[-2:]) == grid:
        return maps
    return F.interpolate(maps.float(), grid, mode="area").to(maps.dtype)
