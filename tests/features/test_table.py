import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from s2robot.errors import UserError
from s2robot.features import mapped, place, resident, tiers
from s2robot.features.hashing import checksums, sealed
from s2robot.features.mapped import MappedRows
from s2robot.features.row import Row
from s2robot.features.segment import RECORD, Segment
from s2robot.features.table import FeatureTable
from s2robot.features.tiers import choose_tier

ROW = Row((3, 2, 4))


def rows_on_disk(folder: Path, rows: torch.Tensor) -> MappedRows:
    """A segment with these rows."""
    records = np.zeros(len(rows), RECORD)
    records["checksum"] = checksums(rows.numpy(), np.arange(len(rows)))
    sealed(records, 0).tofile(folder / "records.bin")
    rows.numpy().tofile(folder / "rows.bin")
    return MappedRows([Segment(folder, rows[0].nbytes)], rows.shape[1], rows.dtype)


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(10, 3, 2, 4, generator=torch.Generator().manual_seed(0)).half()


@pytest.fixture
def table(features: torch.Tensor) -> FeatureTable:
    return FeatureTable(features.flatten(1), ROW, torch.tensor([7, 7, 2, 0, 9]), [2, 3])


def test_gather_takes_each_frames_row(table: FeatureTable, features: torch.Tensor) -> None:
    frames = torch.tensor([[0, 1], [2, 4], [3, 3]])
    gathered = table.gather(frames).map
    assert torch.equal(gathered, features[torch.tensor([[7, 7], [2, 9], [0, 0]])])
    gathered.zero_()
    assert features[7].abs().max() > 0  # a copy


def test_in_memory_it_gives_the_same_and_holds_only_its_own_rows(table: FeatureTable) -> None:
    frames = torch.tensor([[0, 1], [2, 4]])
    inside = table.to("cpu")
    assert torch.equal(inside.gather(frames).map, table.gather(frames).map)
    assert len(inside._data) == 4
    assert inside.offsets.tolist() == table.offsets.tolist() == [0, 2, 5]


def test_placed_where_it_fits(table: FeatureTable, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = torch.tensor([[0, 1], [2, 4]])
    assert table.nbytes == 4 * 3 * 2 * 4 * 2
    in_ram = place({"cam": table}, "cpu")["cam"]
    assert in_ram is not table and torch.equal(in_ram.gather(frames).map, table.gather(frames).map)
    monkeypatch.setattr(tiers, "RAM_SHARE", 1e-12)
    assert place({"cam": table}, "cpu")["cam"] is table


def test_all_cameras_share_one_plan(table: FeatureTable, monkeypatch: pytest.MonkeyPatch) -> None:
    two = {"left": table, "right": table}
    memory = SimpleNamespace(available=3 * table.nbytes / 2)  # enough for one camera alone
    monkeypatch.setattr(tiers, "RAM_SHARE", 1.0)
    monkeypatch.setattr(tiers.psutil, "virtual_memory", lambda: memory)
    assert choose_tier(table.nbytes, "cpu") == "ram" and choose_tier(2 * table.nbytes, "cpu") == "disk"
    assert all(placed is table for placed in place(two, "cpu").values())
    memory.available = 2 * table.nbytes
    assert all(placed is not table for placed in place(two, "cpu").values())


def test_processes_of_one_machine_share_the_kernels_copy(table: FeatureTable) -> None:
    assert choose_tier(1, "cpu", "auto", 2) == choose_tier(1, "cpu", "ram", 2) == "disk"
    assert place({"cam": table}, "cpu", "ram", 2)["cam"] is table


def test_a_tier_can_be_chosen(table: FeatureTable) -> None:
    frames = torch.tensor([[0, 1], [2, 4]])
    assert place({"cam": table}, "cpu", "disk")["cam"] is table
    for tier in ("ram", "device"):
        inside = place({"cam": table}, "cpu", tier)["cam"]
        assert inside is not table and torch.equal(inside.gather(frames).map, table.gather(frames).map)
    with pytest.raises(UserError, match="unknown tier of features 'rma'; did you mean 'ram'"):
        place({"cam": table}, "cpu", "rma")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_on_a_gpu_it_gives_the_same(table: FeatureTable) -> None:
    frames = torch.tensor([[0, 1], [2, 4]])
    gathered = table.to("cuda").gather(frames).map
    assert gathered.device.type == "cuda"
    assert torch.equal(gathered.cpu(), table.gather(frames).map)
    views = torch.zeros(2, dtype=torch.long, device="cuda")
    assert torch.equal(table.gather(frames.cuda(), views).map, table.gather(frames).map)


def test_channel_stats_are_those_of_the_frames(table: FeatureTable) -> None:
    maps = table.gather(torch.arange(5)[:, None]).map[:, 0]
    values = maps.double().transpose(0, 1).flatten(1)  # c (n gh gw)
    mean, deviation = table.channel_stats(np.arange(5))
    torch.testing.assert_close(mean.double(), values.mean(1), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(deviation.double(), values.std(1, correction=0), atol=1e-6, rtol=1e-5)


def test_the_kernel_is_advised_what_will_be_read(
    features: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_on_disk(tmp_path, features.flatten(1))
    advised = []
    monkeypatch.setattr(
        os, "posix_fadvise", lambda fd, start, size, advice: advised.append((start, size, advice))
    )
    table = FeatureTable(rows, ROW, torch.tensor([7, 7, 2, 0, 9]), [2, 3])
    table.read_ahead(torch.tensor([[1, 2]]))
    assert advised == [(7 * 48, 48, os.POSIX_FADV_WILLNEED), (2 * 48, 48, os.POSIX_FADV_WILLNEED)]
    advised.clear()
    table.to("cpu").read_ahead(torch.tensor([[1, 2]]))  # in memory there is nothing to read
    assert not advised


def resident_files_mb() -> float:
    """Resident memory of this process that is of mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("RssFile"))


@pytest.mark.parametrize("bounded", [True, False])
def test_reading_many_rows_from_the_disk_keeps_little_memory(
    bounded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "MOST_MAPPED", 8 * 1024**2 if bounded else 10**12)
    monkeypatch.setattr(mapped, "INTERVAL_S", 0.0)
    count, row = 16_384, Row((32, 8, 8))  # 64 MB
    numbers = np.arange(count, dtype=np.float16)[:, None].repeat(row.numbers, 1)
    rows = rows_on_disk(tmp_path, torch.from_numpy(numbers))
    table = FeatureTable(rows, row, torch.arange(count), [count])
    before = resident_files_mb()
    for frames in torch.arange(count).view(-1, 64, 1):
        seen = table.gather(frames).map.flatten(1)
        np.testing.assert_array_equal(seen[:, 0], numbers[frames[:, 0], 0])
    assert (resident_files_mb() - before < 24) == bounded
