import os

import pytest
import torch

from s2robot.errors import UserError
from s2robot.features import place, tiers
from s2robot.features.row import Row
from s2robot.features.table import FeatureTable

ROW = Row((3, 2, 4))


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(10, 3, 2, 4, generator=torch.Generator().manual_seed(0)).half()


@pytest.fixture
def table(features) -> FeatureTable:
    return FeatureTable(features.flatten(1), ROW, torch.tensor([7, 7, 2, 0, 9]), [2, 3])


def test_gather_takes_each_frames_row(table, features) -> None:
    frames = torch.tensor([[0, 1], [2, 4], [3, 3]])
    gathered = table.gather(frames).map
    assert torch.equal(gathered, features[torch.tensor([[7, 7], [2, 9], [0, 0]])])
    gathered.zero_()
    assert features[7].abs().max() > 0  # a copy


def test_in_memory_it_gives_the_same_and_holds_only_its_own_rows(table) -> None:
    frames = torch.tensor([[0, 1], [2, 4]])
    inside = table.to("cpu")
    assert torch.equal(inside.gather(frames).map, table.gather(frames).map)
    assert len(inside._data) == 4
    assert inside.offsets.tolist() == table.offsets.tolist() == [0, 2, 5]


def test_placed_where_it_fits(table, monkeypatch) -> None:
    frames = torch.tensor([[0, 1], [2, 4]])
    assert table.nbytes == 4 * 3 * 2 * 4 * 2
    in_ram = place(table, "cpu")
    assert in_ram is not table and torch.equal(in_ram.gather(frames).map, table.gather(frames).map)
    monkeypatch.setattr(tiers, "RAM_SHARE", 1e-12)
    assert place(table, "cpu") is table


def test_a_tier_can_be_asked_for(table) -> None:
    frames = torch.tensor([[0, 1], [2, 4]])
    assert place(table, "cpu", "disk") is table
    for tier in ("ram", "device"):
        inside = place(table, "cpu", tier)
        assert inside is not table and torch.equal(inside.gather(frames).map, table.gather(frames).map)
    with pytest.raises(UserError, match="unknown tier of features 'rma'; did you mean 'ram'"):
        place(table, "cpu", "rma")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_on_a_gpu_it_gives_the_same(table) -> None:
    frames = torch.tensor([[0, 1], [2, 4]])
    gathered = table.to("cuda").gather(frames).map
    assert gathered.device.type == "cuda"
    assert torch.equal(gathered.cpu(), table.gather(frames).map)


def test_channel_stats_are_those_of_the_frames(table) -> None:
    maps = table.gather(torch.arange(5)[:, None]).map[:, 0]
    values = maps.double().transpose(0, 1).flatten(1)  # c (n gh gw)
    mean, deviation = table.channel_stats()
    torch.testing.assert_close(mean.double(), values.mean(1), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(deviation.double(), values.std(1, correction=0), atol=1e-6, rtol=1e-5)


def test_the_disk_is_told_what_will_be_read(features, tmp_path, monkeypatch) -> None:
    file = tmp_path / "rows.bin"
    features.numpy().tofile(file)
    mapped = torch.from_file(str(file), size=features.numel(), dtype=torch.float16).view(10, -1)
    told = []
    monkeypatch.setattr(
        os, "posix_fadvise", lambda fd, start, size, advice: told.append((start, size, advice))
    )
    table = FeatureTable(mapped, ROW, torch.tensor([7, 7, 2, 0, 9]), [2, 3], file)
    table.read_ahead(torch.tensor([[1, 2]]))
    assert told == [(7 * 48, 48, os.POSIX_FADV_WILLNEED), (2 * 48, 48, os.POSIX_FADV_WILLNEED)]
    told.clear()
    table.to("cpu").read_ahead(torch.tensor([[1, 2]]))  # in memory there is nothing to read
    assert not told
