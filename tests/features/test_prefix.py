"""Prefix tokens are stored behind the map and come back as the encoder gave them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from s2robot.errors import UserError
from s2robot.features import build_with_report, make_plan, place, sample, verify
from tests.features.frame_cases import SIDE, CountingEncoders, Frames, row_bytes_in, stored_in
from tests.tiny_vit import CHANNELS, NAME, random_vit

SIZES = (SIDE, 2 * SIDE)
NUMBERS = 2 * CHANNELS * (2 * 2 + 1)  # two scales' channels of four cells and the class token


@pytest.fixture
def vit(tmp_path: Path) -> CountingEncoders:
    weights = random_vit(tmp_path / "vit.safetensors")
    return CountingEncoders(NAME, SIZES, weights=weights, backend="torch", device="cpu")


def test_stored_prefix_is_the_live_one_on_every_tier(
    tmp_path: Path, episodes: dict[str, np.ndarray], vit: CountingEncoders
) -> None:
    everything = np.concatenate(list(episodes.values()))
    live = vit.encoder("cam").encode(everything)
    table, _ = build_with_report(Frames(episodes, "a"), "cam", vit, stored_in(tmp_path), progress=False)
    frames = torch.arange(len(everything))[:, None]
    stored = table.gather(frames)
    assert stored.prefix is not None and live.prefix is not None
    assert vit.prefix_shape("cam") == (1, 2 * CHANNELS) == stored.prefix.shape[2:]
    torch.testing.assert_close(stored.prefix[:, 0].float(), live.prefix, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(stored.map[:, 0].float(), live.map, rtol=1e-3, atol=1e-3)
    for tier in ("device", "ram", "disk"):
        placed = place({"cam": table}, "cpu", tier)["cam"].gather(frames)
        assert (
            placed.prefix is not None
            and torch.equal(placed.prefix, stored.prefix)
            and torch.equal(placed.map, stored.map)
        )


def test_each_view_has_its_own(
    tmp_path: Path, episodes: dict[str, np.ndarray], vit: CountingEncoders
) -> None:
    table, _ = build_with_report(Frames(episodes, "a"), "cam", vit, stored_in(tmp_path, 2), False)
    frames = torch.arange(18)[:, None]
    first, second = (table.gather(frames, torch.full((18,), view)).prefix for view in (0, 1))
    same = table.gather(frames).prefix
    assert first is not None and second is not None and same is not None
    assert torch.equal(first, same)
    assert (first != second).flatten(1).any(1).all()


def test_statistics_are_the_maps_alone(
    tmp_path: Path, episodes: dict[str, np.ndarray], vit: CountingEncoders
) -> None:
    table, _ = build_with_report(Frames(episodes, "a"), "cam", vit, stored_in(tmp_path), progress=False)
    maps = table.gather(torch.arange(18)[:, None]).map[:, 0].double()
    mean, deviation = table.channel_stats(table.frames)
    torch.testing.assert_close(mean.double(), maps.mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(deviation.double(), maps.std((0, 2, 3), correction=0), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_plan_and_report_count_them(
    tmp_path: Path, episodes: dict[str, np.ndarray], vit: CountingEncoders, dtype: str
) -> None:
    source, row_bytes = Frames(episodes, "a"), NUMBERS * (2 if dtype == "float16" else 4)
    plan = make_plan(source, ["cam"], vit, stored_in(tmp_path, dtype=dtype))
    (camera,) = plan.cameras
    assert camera.row_bytes == row_bytes and plan.bytes == 18 * row_bytes
    assert any((one.grid, one.dtype, one.row_bytes) == ((2, 2), dtype, row_bytes) for one in camera.options)
    fine = next(one for one in camera.options if (one.grid, one.dtype) == ((4, 4), "float16"))
    assert fine.row_bytes == 2 * 2 * CHANNELS * (4 * 4 + 1)
    table, report = build_with_report(source, "cam", vit, stored_in(tmp_path, dtype=dtype), False)
    assert report.bytes == table.nbytes == plan.bytes == row_bytes_in(report.folder)


def test_samples_carry_them_and_a_difference_is_refused(
    tmp_path: Path, episodes: dict[str, np.ndarray], vit: CountingEncoders
) -> None:
    source = Frames(episodes, "a")
    table, _ = build_with_report(source, "cam", vit, stored_in(tmp_path), progress=False)
    samples = sample(source, {"cam": table})
    assert samples["prefix.cam"].shape == (4, 1, 2 * CHANNELS)
    assert verify(vit, samples)["cam"] < 1e-3
    changed = samples["prefix.cam"].clone()
    changed[3, 0, 5] += 0.01 * changed.abs().max()
    with pytest.raises(UserError, match=r"prefix tokens of cam differ by 0\.01 of the largest"):
        verify(vit, samples | {"prefix.cam": changed})
    with pytest.raises(UserError, match=r"\(1, 128\) here and \(2, 128\) where they were stored"):
        verify(vit, samples | {"prefix.cam": changed.repeat(1, 2, 1)})


def test_an_encoder_without_them_stores_and_names_what_it_did_before(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    source = Frames(episodes, "a")
    table, report = build_with_report(source, "cam", encoders, stored_in(tmp_path), progress=False)
    settings = json.loads((report.folder / "settings.json").read_text())
    assert settings.keys() == {"format", "dtype", "shape", "encoder"}
    assert report.bytes == 18 * 112 * 2 * 2 * 2
    gathered = table.gather(torch.arange(18)[:, None])
    assert gathered.prefix is None and gathered.map.is_contiguous()
    samples = sample(source, {"cam": table})
    assert samples.keys() == {"frames.cam", "features.cam"}
    with pytest.raises(UserError, match="prefix tokens of cam were stored, and this encoder gives none"):
        verify(encoders, samples | {"prefix.cam": torch.zeros(4, 1, 112)})
