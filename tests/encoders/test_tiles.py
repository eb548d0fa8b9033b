"""Oblong images and sizes that the tile does not divide: covered by overlapping tiles."""

from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from skimage import data
from torch import Tensor

from s2robot.encoders.arrays import merge, split
from s2robot.encoders.backends import frozen
from s2robot.encoders.tiles import make_tiling
from s2robot.errors import UserError
from tests.encoders.tiny_pretrained import tiny_pretrained, tiny_s2

FRAMES = np.stack([data.astronaut()[:64, 200:296], data.coffee()[:64, 200:296]])  # 64 x 96


def tiny_map(pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 6 gh gw"]:
    """The tiny network's map of a whole image; its cells are independent, so tiles change nothing."""
    pretrained = tiny_pretrained()
    return frozen(pretrained.build(), pretrained.spec)(pixels)[0]


@pytest.mark.parametrize(
    ("height", "width", "tile", "tops", "lefts"),
    [
        (64, 64, (32, 32), (0, 32), (0, 32)),  # as the reference
        (48, 48, (24, 24), (0, 24), (0, 24)),  # likewise: smaller equal tiles
        (64, 96, (32, 32), (0, 32), (0, 32, 64)),  # oblong, square tiles divide it
        (56, 56, (32, 32), (0, 24), (0, 24)),  # 28 is no multiple of the stride
        (32, 72, (32, 32), (0,), (0, 16, 40)),  # evenly spread, on the grid of cells
        (16, 24, (16, 24), (0,), (0,)),  # smaller than a tile
    ],
)
def test_where_tiles_lie(height: int, width: int, tile: int, tops: list[int], lefts: list[int]) -> None:
    tiling = make_tiling(height, width, tile=32, stride=8)
    assert (tiling.tile, tiling.tops, tiling.lefts) == (tile, tops, lefts)


@pytest.mark.parametrize("side", range(8, 200, 8))
def test_every_cell_is_covered_and_no_tile_sticks_out(side: int) -> None:
    tiling = make_tiling(side, 2 * side, tile=40, stride=8)
    for length, size, starts in (
        (side, tiling.tile[0], tiling.tops),
        (2 * side, tiling.tile[1], tiling.lefts),
    ):
        pixels = {start + i for start in starts for i in range(size)}
        assert pixels == set(range(length)) and size <= 40 and all(start % 8 == 0 for start in starts)


def test_square_cuts_are_those_of_the_reference() -> None:
    images = torch.rand(2, 3, 96, 96)
    tiling = make_tiling(96, 96, tile=32, stride=8)
    assert torch.equal(tiling.split(images), split(images, 3))
    assert torch.equal(tiling.merge(split(images, 3), stride=1), merge(split(images, 3), 3))


@pytest.mark.parametrize(("height", "width"), [(64, 96), (56, 72), (72, 32)])
def test_merge_takes_split_back(height: int, width: int) -> None:
    images = torch.rand(2, 3, height, width)
    tiling = make_tiling(height, width, tile=32, stride=8)
    torch.testing.assert_close(tiling.merge(tiling.split(images), stride=1), images)


def test_a_cell_that_several_tiles_see_is_their_mean() -> None:
    tiling = make_tiling(8, 56, tile=32, stride=8)  # tiles at columns 0 and 24, one cell in common
    left, right = torch.zeros(1, 1, 1, 4), torch.ones(1, 1, 1, 4)
    merged = tiling.merge(torch.cat([left, right]), stride=8)
    assert merged.flatten().tolist() == [0, 0, 0, 0.5, 1, 1, 1]


def test_oblong_frames_keep_their_proportions() -> None:
    encoder = tiny_s2((32, 64))
    assert encoder.spec.grid(64, 96) == (4, 6)
    assert encoder.spec.scale_grids(64, 96) == [(4, 6), (8, 12)]
    assert encoder.spec.scale_grids(96, 64) == [(6, 4), (12, 8)]
    assert encoder.spec.scale_grids(480, 640)[0] == (4, 5)  # 42.7 pixels, to the nearest cell

    maps = encoder.encode(FRAMES).map

    assert maps.shape == (2, 12, 4, 6)
    native = tiny_map(torch.from_numpy(FRAMES).permute(0, 3, 1, 2).float())  # the second scale, uncut
    expected = torch.nn.functional.avg_pool2d(native, 2)
    torch.testing.assert_close(maps[:, 6:], expected, rtol=1e-4, atol=1e-5)


def test_a_size_that_the_tile_does_not_divide() -> None:
    encoder = tiny_s2((56,))
    frames = FRAMES[:, :56, :56]
    expected = tiny_map(torch.from_numpy(frames.copy()).permute(0, 3, 1, 2).float())
    torch.testing.assert_close(encoder.encode(frames).map, expected, rtol=1e-4, atol=1e-5)


def test_transposed_frames_have_transposed_tiles() -> None:
    wide, tall = make_tiling(64, 104, 32, 8), make_tiling(104, 64, 32, 8)
    assert (wide.tops, wide.lefts) == (tall.lefts, tall.tops)


@pytest.mark.parametrize("max_tiles", [1, 7, 1000])
def test_budget_bounds_every_batch_and_changes_no_number(max_tiles: int) -> None:
    encoder = tiny_s2((32, 64), max_tiles=max_tiles)
    seen: list[int] = []
    backend: Any = encoder.backend
    backend.network.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    torch.testing.assert_close(encoder.encode(FRAMES).map, tiny_s2((32, 64)).encode(FRAMES).map)
    # a frame has 2 + 6 tiles of 32x32 and they share a batch
    assert max(seen) <= max_tiles and sum(seen) == 2 * (2 + 6)
    if max_tiles == 1000:
        assert seen == [16]


def test_no_budget_is_refused() -> None:
    with pytest.raises(UserError, match=r"encoder\.max_tiles=0 must be at least 1"):
        tiny_s2((32,), max_tiles=0)
