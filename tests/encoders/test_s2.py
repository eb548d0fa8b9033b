"""S2 around an encoder: the reference's numbers with antialiasing off, and what is beyond the reference."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import s2wrapper
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import data

from s2robot.encoders import make_encoder
from s2robot.encoders.arrays import merge, split
from s2robot.encoders.backends import frozen
from s2robot.encoders.s2 import S2
from s2robot.errors import UserError
from s2robot.types import Features
from tests.encoders.tiny_pretrained import tiny_pretrained, tiny_s2

FRAMES = np.stack([data.astronaut()[:64, 200:264], data.coffee()[:64, 200:264]])
PIXELS = torch.from_numpy(FRAMES).permute(0, 3, 1, 2).float()


def tiny_tokens(pixels: torch.Tensor) -> torch.Tensor:
    """The same network with the reference's interface: tokens "b 1+n c"."""
    pretrained = tiny_pretrained()
    cells, prefix = frozen(pretrained.build(), pretrained.spec)(pixels)
    return torch.cat([prefix, cells.flatten(2).transpose(1, 2)], dim=1)


def spied_tiles(encoder: S2, frames: np.ndarray) -> list[torch.Tensor]:
    """The batches that go through the network."""
    spied: list[torch.Tensor] = []
    backend: Any = encoder.backend
    run = backend.map

    def noting(batches: Iterable[torch.Tensor]) -> list[Features]:
        spied.extend(tiles := list(batches))
        return run(tiles)

    backend.map = noting
    encoder.encode(frames)
    return spied


@pytest.mark.parametrize("sizes", [(32,), (32, 64), (32, 64, 96), (64, 32), (48, 128)])
def test_without_antialiasing_it_is_the_reference(sizes: tuple[int, ...]) -> None:
    features = tiny_s2(sizes, antialias=False).encode(FRAMES)
    expected = s2wrapper.forward(
        tiny_tokens, PIXELS, img_sizes=list(sizes), max_split_size=32, num_prefix_token=1
    )
    assert features.prefix is not None
    tokens = torch.cat([features.prefix, features.map.flatten(2).transpose(1, 2)], dim=1)
    assert (tokens - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_lite0_at_224_and_448_is_the_reference_too() -> None:
    frames = data.astronaut()[None, :448, :448]
    encoder = make_encoder("lite0", antialias=False, backend="torch", device="cpu")
    pixels = torch.from_numpy(frames.copy()).permute(0, 3, 1, 2).float()
    backend: Any = encoder.backend
    expected = s2wrapper.forward(
        backend.network, pixels, img_sizes=[224, 448], max_split_size=224, output_shape="bchw"
    )
    actual = encoder.encode(frames).map
    assert (actual - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_native_pixels_are_used_as_they_are() -> None:
    tiles = torch.cat(
        spied_tiles(tiny_s2((32, 64)), FRAMES)
    )  # of one frame a group: the small scale's tile, then four native ones
    assert torch.equal(merge(tiles[1:5], 2), PIXELS[:1])


def test_shrinking_is_antialiased_like_pillow() -> None:
    encoder = tiny_s2((32,))
    (tiles,) = spied_tiles(encoder, FRAMES[:1])
    pillow = np.asarray(Image.fromarray(FRAMES[0]).resize((32, 32), Image.Resampling.BICUBIC), np.float32)
    assert np.abs(tiles[0].permute(1, 2, 0).numpy() - pillow).max() <= 1.0  # Pillow rounds twice


def test_output_grid_keeps_the_finer_scale() -> None:
    coarse, fine = tiny_s2((32, 64)), tiny_s2((32, 64), output_grid=(8, 8))
    assert fine.spec.grid(64, 64) == (8, 8)
    maps = fine.encode(FRAMES).map
    assert maps.shape == (2, 12, 8, 8)
    torch.testing.assert_close(F.avg_pool2d(maps, 2), coarse.encode(FRAMES).map)


def test_add_sums_the_scales() -> None:
    added, stacked = tiny_s2((32, 64), merge="add").encode(FRAMES), tiny_s2((32, 64)).encode(FRAMES)
    torch.testing.assert_close(added.map, stacked.map[:, :6] + stacked.map[:, 6:])
    assert stacked.prefix is not None
    torch.testing.assert_close(added.prefix, stacked.prefix[..., :6] + stacked.prefix[..., 6:])


def test_split_and_merge_are_inverse() -> None:
    images = torch.arange(2 * 3 * 12 * 18.0).view(2, 3, 12, 18)
    assert torch.equal(merge(split(images, 3), 3), images)
    assert torch.equal(split(images, 3)[2:4], images[..., :4, 6:12])  # first row, second column, both images


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((), {}, "one or more different positive sizes"),
        ((32, 32), {}, "one or more different positive sizes"),
        ((0,), {}, "one or more different positive sizes"),
        ((50,), {}, "near it: 48, 56"),
        ((20,), {}, "near it: 16, 24"),
        ((32,), {"output_grid": (0, 4)}, "1 or more"),
        ((32,), {"merge": "mean"}, "'concat' or 'add'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    sizes: tuple[int, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        tiny_s2(sizes, **options)
