"""S2, scaling on scales: the same encoder looks at 1x, 2x, 3x of an image and its features are stacked.

Each scale is cut into tiles of the size the encoder was trained on, the tiles' maps are put together again,
pooled onto one grid and concatenated. Paper: "When Do We Not Need Larger Vision Models?" (arXiv 2403.13043);
`forward` gives the numbers of its reference code (PyPI `scaling-on-scales`, `s2wrapper.forward`).
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from s2robot.errors import UserError


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

    `input` is whatever the model takes (normalised, square). `model` gives "b n c" (`output_shape="bnc"`,
    the first `num_prefix_token` of n being no part of the grid) or "b c gh gw" (`"bchw"`), and so does this,
    with `len(scales)` times the channels, on the grid of the scale `resize_output_to_idx`; prefix tokens are
    averaged over a scale's tiles. Sides are `img_sizes`, or `scales` times the input's; tiles are at most
    `max_split_size` (the input's side) wide. `split_forward` runs one tile of each image at a time, to save
    memory.
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


def split(pixels: Float[Tensor, "b c h w"], n: int) -> Float[Tensor, "n*n*b c h/n w/n"]:
    """Cut images into n x n tiles, row by row; the images of one tile position lie next to each other."""
    h, w = pixels.shape[-2:]
    if h % n or w % n:
        raise UserError(f"an image of {h}x{w} pixels cannot be cut into {n}x{n} equal tiles")
    tiles = pixels.unflatten(3, (n, w // n)).unflatten(2, (n, h // n))  # b c n t n t
    return tiles.permute(2, 4, 0, 1, 3, 5).flatten(0, 2)


def merge(maps: Float[Tensor, "n*n*b c g k"], n: int) -> Float[Tensor, "b c n*g n*k"]:
    """Put the maps of n x n tiles together again: the inverse of `split`."""
    tiles = maps.unflatten(0, (n, n, -1))  # n n b c g k
    return tiles.permute(2, 3, 0, 4, 1, 5).flatten(4, 5).flatten(2, 3)


def pool(maps: Float[Tensor, "b c g k"], grid: tuple[int, int]) -> Float[Tensor, "b c gh gw"]:
    """Average over areas onto another grid, in float32 and back (onto a finer one, cells are repeated)."""
    if tuple(maps.shape[-2:]) == grid:
        return maps
    return F.interpolate(maps.float(), grid, mode="area").to(maps.dtype)
