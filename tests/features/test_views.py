"""Views of a frame: always the same, stored once each, gathered by number."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from s2robot.errors import UserError
from s2robot.features import Views, batches, build, build_with_report, make_plan, place, sample
from s2robot.features.hashing import frame_hash
from s2robot.features.store import FeatureStore
from s2robot.features.table import FeatureTable
from tests.features.frame_cases import (
    SIDE,
    CountingEncoders,
    Frames,
    random_frames,
    records_in,
    row_bytes_in,
    stored_in,
)

THREE = Views(3)


def gathered(table: FeatureTable, view: int) -> torch.Tensor:
    n = len(table)
    return table.gather(torch.arange(n)[:, None], torch.full((n,), view)).map[:, 0]


def drawn(episodes: dict[str, np.ndarray], view: int) -> np.ndarray:
    frames = np.concatenate(list(episodes.values()))
    return np.stack([THREE.draw(frame, frame_hash(frame), view) for frame in frames])


def test_a_view_is_decided_by_frame_number_and_settings() -> None:
    frame, another = random_frames(2, seed=0)
    first, second = frame_hash(frame), frame_hash(another)
    assert np.array_equal(THREE.draw(frame, first, 0), frame)
    views = [THREE.draw(frame, first, view) for view in (1, 2)]
    assert not np.array_equal(views[0], views[1]) and not any(np.array_equal(view, frame) for view in views)
    assert np.array_equal(views[0], Views(8).draw(frame, first, 1))  # however many there are
    assert not np.array_equal(views[0], THREE.draw(frame, second, 1))
    assert len({*THREE.keys(first), *THREE.keys(second)}) == 6 and THREE.keys(first)[0] == first
    assert Views(8).keys(first)[:3] == THREE.keys(first)
    for other in (Views(3, shift=0.1), Views(3, colour=0.1)):
        assert len({*THREE.keys(first), *other.keys(first)}) == 5  # view 0 alone is the same


def test_a_shift_moves_the_frame_and_repeats_its_edge() -> None:
    frame = np.broadcast_to(np.arange(100, dtype=np.uint8)[:, None, None], (100, 100, 3)).copy()
    shifts = set()
    for number in range(40):
        column = Views(2, shift=0.05, colour=0).draw(frame, bytes([number]) * 16, 1)[:, 50, 0].astype(int)
        shift = int(column[50]) - 50
        assert np.array_equal(column, np.clip(np.arange(100) + shift, 0, 99))
        shifts.add(shift)
    assert min(shifts) == -5 and max(shifts) == 5


def test_colour_stays_within_its_strength() -> None:
    grey = np.full((8, 8, 3), 100, np.uint8)  # contrast and saturation change nothing about it
    levels = [int(Views(2, 0, 0.2).draw(grey, bytes([n]) * 16, 1)[0, 0, 0]) for n in range(40)]
    assert 80 <= min(levels) < 90 and 110 < max(levels) <= 120
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    changed = [Views(2, 0, 0.2).draw(red, bytes([n]) * 16, 1)[0, 0].astype(int) for n in range(40)]
    spread = [int(pixel.max() - pixel.min()) for pixel in changed]
    assert min(spread) < 190 and max(spread) > 200


def test_numbers_that_cannot_be_are_refused() -> None:
    for arguments, message in (
        ((0,), "1 view or more, not 0"),
        ((2, -0.1), "shift of views"),
        ((2, 0.1, 1.0), "colour of views"),
        ((2, 0, 0), "would all be the same"),
    ):
        with pytest.raises(UserError, match=message):
            Views(*arguments)


def test_each_view_is_stored_and_gathered_on_every_tier(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    source = Frames(episodes, "a")
    plan = make_plan(source, ["cam"], encoders, stored_in(tmp_path, 3))
    encoders.frames_encoded = 0
    table, report = build_with_report(source, "cam", encoders, stored_in(tmp_path, 3))
    assert encoders.frames_encoded == report.frames_encoded == plan.cameras[0].frames_to_encode == 54
    assert report.bytes == plan.bytes == table.nbytes == row_bytes_in(report.folder)
    assert table.views == 3
    for view in range(3):
        expected = encoders.encoder("cam").encode(drawn(episodes, view)).map
        torch.testing.assert_close(gathered(table, view).float(), expected, rtol=1e-3, atol=1e-3)
    mixed = torch.tensor([[0, 1], [5, 6], [17, 17]]), torch.tensor([2, 0, 1])
    for tier in ("device", "ram", "disk"):
        assert torch.equal(
            place({"cam": table}, "cpu", tier)["cam"].gather(*mixed).map, table.gather(*mixed).map
        )
    first = table.gather(mixed[0], torch.zeros(3, dtype=torch.long))
    assert torch.equal(table.gather(mixed[0]).map, first.map)
    samples = sample(source, {"cam": table})  # what checks and checkpoints see is the frame as it is
    again = encoders.encode("cam", samples["frames.cam"].numpy()).map
    torch.testing.assert_close(samples["features.cam"].float(), again, rtol=1e-3, atol=1e-3)


def test_views_of_the_same_frames_in_another_file_are_found(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path, 3))
    source = Frames({f"demo_{9 - i}": frames for i, frames in enumerate(episodes.values())}, "b")
    encoders.frames_encoded = 0
    again, report = build_with_report(source, "cam", encoders, stored_in(tmp_path, 3))
    assert encoders.frames_encoded == 0 and (report.frames_encoded, report.frames_found) == (0, 54)
    plan = make_plan(source, ["cam"], encoders, stored_in(tmp_path, 3))
    assert plan.bytes == again.nbytes and plan.cameras[0].frames_to_encode == 0


def test_a_view_that_is_not_used_needs_no_settings(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path))
    source = Frames(episodes, "a")
    build(source, "cam", encoders, stored_in(tmp_path, view_shift=0.3, view_colour=0.1))
    assert encoders.frames_encoded == 18 and not source.read


def test_a_build_that_was_killed_between_views_goes_on(
    tmp_path: Path, encoders: CountingEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "COMMIT_INTERVAL_S", 0)
    monkeypatch.setattr(batches, "BATCH_FRAMES", 4)
    still = np.repeat(random_frames(1, seed=9), 2, axis=0)  # one frame, three views
    episodes = {"demo_0": random_frames(2, seed=0), "demo_1": still, "demo_2": random_frames(2, seed=1)}
    encoders.fails_after = 8  # the 6 of demo_0 and 2 of the 3 of demo_1
    with pytest.raises(KeyboardInterrupt):
        build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path, 3))
    encoders.fails_after, encoders.frames_encoded = None, 0
    table = build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path, 3))
    assert encoders.frames_encoded == 15 - 8
    for view in range(3):
        expected = CountingEncoders.encoder(encoders, "cam").encode(drawn(episodes, view)).map
        torch.testing.assert_close(gathered(table, view).float(), expected, rtol=1e-3, atol=1e-3)


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from tests.features.frame_cases import SIDE, CountingEncoders, Frames, random_frames, stored_in
from s2robot.features import batches, build, writer
batches.COMMIT_INTERVAL_S, batches.WRITES_AHEAD, batches.BATCH_FRAMES = 0, 0, 4
write, writes = writer.write_all, 0
def torn(file, data):
    global writes
    writes += 1
    if writes == {write}:
        write(file, memoryview(data).cast("B")[: data.nbytes // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    write(file, data)
writer.write_all = torn
episodes = {{f"demo_{{i}}": random_frames(3 + i, seed=i) for i in range(4)}}
encoders = CountingEncoders("lite0", sizes=(SIDE,), backend="torch", device="cpu")
build(Frames(episodes, "a"), "cam", encoders, stored_in({root!r}, 3))
"""


# Of each batch the rows are written at once, then the records.
@pytest.mark.parametrize(
    ("write", "valid"),
    [(5, 8), (6, 8 + 2)],
    ids=["in the middle of the rows of the third batch", "in the middle of its records"],
)
def test_a_build_of_views_that_is_killed_goes_on(
    tmp_path: Path,
    episodes: dict[str, np.ndarray],
    encoders: CountingEncoders,
    request: pytest.FixtureRequest,
    write: int,
    valid: int,
) -> None:
    script = KILLED.format(tests=str(request.path.parents[2]), root=str(tmp_path), write=write)
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert killed.returncode == -9, killed.stderr
    spec, shape = encoders.encoder("cam").spec, encoders.feature_shape("cam", (SIDE, SIDE))
    store = FeatureStore(spec, shape, root=tmp_path)
    kept = store.snapshot()
    assert len(kept) == valid and store.rows(kept).damaged_rows(np.arange(valid)) == []

    table, report = build_with_report(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path, 3))

    assert encoders.frames_encoded == report.frames_encoded == 54 - valid
    records = records_in(store.folder)["frame"].tolist()
    assert len(records) == 54 and set(kept.hashes(np.arange(valid)).tolist()) < set(records)
    assert store.rows(store.snapshot()).damaged_rows(np.arange(54)) == []
    for view in range(3):
        expected = encoders.encoder("cam").encode(drawn(episodes, view)).map
        torch.testing.assert_close(gathered(table, view).float(), expected, rtol=1e-3, atol=1e-3)


def test_more_views_encode_only_those_that_were_not_stored(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    encoded, folders = [], set()
    others: list[dict[str, float]] = [{"view_shift": 0.1}, {"view_colour": 0}]
    for views, other in [(1, {}), (3, {}), (5, {}), (2, {}), (1, {}), *((2, one) for one in others)]:
        config = stored_in(tmp_path, views, **other)
        table, report = build_with_report(Frames(episodes, "a"), "cam", encoders, config)
        assert table.views == views and report.bytes == table.nbytes
        encoded.append(report.frames_encoded // 18)
        folders.add(report.folder)
    assert encoded == [1, 2, 2, 0, 0, 1, 1] and len(folders) == 1
    first = build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path, 3))
    for view in range(3):
        expected = encoders.encoder("cam").encode(drawn(episodes, view)).map
        torch.testing.assert_close(gathered(first, view).float(), expected, rtol=1e-3, atol=1e-3)
