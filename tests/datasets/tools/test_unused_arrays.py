"""Arrays that training does not use and that nothing can read: the tools go on without them, and say it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2robot.datasets import open_dataset
from tests.datasets.lerobot.layouts import Recording, change_info, read_info
from tests.datasets.small_files import demo, write

Run = Callable[..., dict]
LENGTHS = (3, 4)
CELLS: dict[str, tuple[list[Any], str]] = {  # rows of a column, and what is said of it
    "null": ([0.0, None, 2.0], "row 1: no value"),
    "ragged": ([[0.0], [1.0, 2.0], [3.0]], "row 1: 2 numbers; expected 1"),
    "other width": ([[0.0, 1.0]] * 3, "rows have shape (2,)"),
}


def with_feature(root: Path, key: str, shape: list[int]) -> None:
    features = {key: {"dtype": "float32", "shape": shape, "names": None}}
    change_info(root, features=read_info(root)["features"] | features)


@pytest.mark.parametrize("case", CELLS)
def test_a_column_that_is_no_array(case: str, tmp_path: Path, run: Run) -> None:
    cells, told = CELLS[case]
    column = pa.array([*cells, *cells, cells[0]][: sum(LENGTHS)])
    root = Recording(LENGTHS, images="png", columns={"force": column}).write(tmp_path / "set")
    with_feature(root, "force", [3] if case == "other width" else [1])
    for target in ("a.hdf5", "exact"):
        lost = run("convert", root, tmp_path / target, *(["--lossless"] if target == "exact" else []))["lost"]
        assert any("force" in line and told in line for line in lost), lost
        copy = open_dataset(tmp_path / target)
        np.testing.assert_array_equal(copy.actions(), open_dataset(root).actions())
        assert "force" not in " ".join(copy.keys.arrays)
    lost = run("split", root, "--out", tmp_path / "split", "--valid", "0.5")["lost"]
    assert any("no statistics of force" in line and told in line for line in lost), lost
    rows = [row for file in sorted((tmp_path / "split").glob("data/*/*")) for row in _rows(file)]
    assert rows == column.to_pylist()
    stats = json.loads((tmp_path / "split/meta/stats.json").read_text())
    assert "action" in stats and "force" not in stats


def _rows(file: Path) -> list[Any]:
    return pq.read_table(file)["force"].to_pylist()


def test_a_damaged_array_of_a_file(tmp_path: Path, run: Run) -> None:
    path = write(tmp_path / "a.hdf5", [demo(6, seed) for seed in range(3)])
    with h5py.File(path, "a") as file:
        force = file.create_dataset("data/demo_1/obs/force", (6, 2), "f4", chunks=(6, 2), compression="gzip")
        force.id.write_direct_chunk((0, 0), b"no zlib stream")
    lost = run("convert", path, tmp_path / "b.hdf5")["lost"]
    assert any(line.startswith("left out") and "demo_1, obs/force" in line for line in lost), lost
    np.testing.assert_array_equal(open_dataset(tmp_path / "b.hdf5").actions(), open_dataset(path).actions())


@pytest.mark.parametrize("rows", [1, 5, 24])
def test_observations_of_another_rate(rows: int, tmp_path: Path, run: Run) -> None:
    """Fewer rows than actions in all demonstrations, or several for each: they are kept as they are."""
    touch = np.random.default_rng(0).normal(size=(rows, 3))
    path = write(tmp_path / "a.hdf5", [demo(6, seed, obs__touch=touch) for seed in range(3)])
    run("convert", path, tmp_path / "b.hdf5")
    run("convert", path, tmp_path / "set", "--fps", "10", "--lossless")
    run("convert", tmp_path / "set", tmp_path / "c.hdf5")
    for name in ("b.hdf5", "c.hdf5"):
        with h5py.File(tmp_path / name) as file:
            np.testing.assert_array_equal(file["data/demo_1/obs/touch"][:], touch)


@pytest.mark.parametrize("target", ["b.hdf5", "set"])
def test_what_are_numbers_in_other_demonstrations(target: str, tmp_path: Path, run: Run) -> None:
    path = write(tmp_path / "a.hdf5", [demo(6, seed, states=np.ones((6, 2))) for seed in range(3)])
    with h5py.File(path, "a") as file:
        one = file["data/demo_1"]
        del one["states"]
        one.create_dataset("states", data=[one.ref] * 6, dtype=h5py.ref_dtype)
    lost = run("convert", path, tmp_path / target, *(["--fps", "10"] if target == "set" else []))["lost"]
    assert any("demo_1, states: found object" in line and "expected numbers" in line for line in lost), lost
    assert not any("states" in key for key in open_dataset(tmp_path / target).keys.arrays)


def test_rows_that_hold_nothing(tmp_path: Path, run: Run) -> None:
    path = write(tmp_path / "a.hdf5", [demo(6, seed, obs__none=np.zeros((6, 0))) for seed in range(2)])
    run("convert", path, tmp_path / "set", "--fps", "10", "--lossless")
    run("convert", tmp_path / "set", tmp_path / "b.hdf5")
    with h5py.File(tmp_path / "b.hdf5") as file:
        assert file["data/demo_0/obs/none"].shape == (6, 0)
