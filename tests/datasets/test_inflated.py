"""Small HDF5 files that declare terabytes, or groups without end, are refused before they are read."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.hdf5_heaps import HEADER, LOOKED_AT, OBJECT, SIGNATURE, endless_heap
from s2robot.errors import UserError


def opened(path: Path, change: Callable[[h5py.File], object]) -> Dataset:
    with h5py.File(path, "w") as file:
        for i in range(2):
            rng, demo = np.random.default_rng(i), file.create_group(f"data/demo_{i}")
            demo["actions"] = rng.uniform(-1, 1, (6, 7))
            demo["obs/robot0_eef_pos"] = rng.normal(size=(6, 3))
            demo["obs/front_image"] = np.zeros((6, 32, 32, 3), np.uint8)
        change(file)
    return open_dataset(path, proprio=["robot0_eef_pos"])


def declare(rows: int, side: int = 32) -> Callable[[h5py.File], object]:
    """Rows that take no place in the file: HDF5 gives zeros for what was never written."""

    def change(file: h5py.File) -> None:
        for demo in file["data"].values():
            for key, row in (
                ("actions", (7,)),
                ("obs/robot0_eef_pos", (3,)),
                ("obs/front_image", (side, side, 3)),
            ):
                dtype = demo[key].dtype
                del demo[key]
                demo.create_dataset(key, (rows, *row), dtype, chunks=(1, *np.minimum(row, 64)))

    return change


def test_rows_that_no_file_of_that_size_can_hold(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"demo_0, actions: .* declare 44.* GiB and the files have"):
        opened(tmp_path / "a.hdf5", declare(3 * 10**8))


def test_frames_that_no_file_of_that_size_can_hold(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"obs/front_image: .* declare 1\d\d.* GiB"):
        opened(tmp_path / "a.hdf5", declare(1000, side=5000))


def test_a_frame_too_large_to_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"reading one row takes 27.* GiB"):
        opened(tmp_path / "a.hdf5", declare(6, side=100_000))


@pytest.mark.parametrize("dtype", ["S8", h5py.string_dtype()])
def test_a_mask_of_more_names_than_any_dataset_has(dtype: object, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="mask/train: it declares 2000000000 names"):
        opened(
            tmp_path / "a.hdf5",
            lambda file: file.create_dataset("mask/train", (2 * 10**9,), dtype, chunks=(1000,)),
        )


def in_a_circle(file: h5py.File) -> None:
    for i in range(10):
        file[f"data/demo_0/obs/back{i}"] = file["data/demo_0/obs"]


def without_a_circle(file: h5py.File) -> None:
    """Twelve groups, each with ten links to the next: 10^11 paths."""
    groups = [file.create_group(f"group{i}") for i in range(12)]
    for above, below in pairwise(groups):
        for i in range(10):
            above[f"link{i}"] = below
    file["data/demo_0/obs/all"] = groups[0]


def test_a_group_that_is_inside_itself_is_left_alone(tmp_path: Path) -> None:
    dataset = opened(tmp_path / "a.hdf5", in_a_circle)
    assert dataset.lengths == [6, 6]
    assert any("it is one of the groups that it is in" in str(warning) for warning in dataset.warnings)


def test_groups_without_end_are_not_walked_through(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="demo_0"):
        opened(tmp_path / "a.hdf5", without_a_circle)


@pytest.mark.parametrize("before", [0, LOOKED_AT + 1])
def test_a_heap_of_texts_that_hdf5_would_read_without_end(tmp_path: Path, before: int) -> None:
    """Opening such a file never came back. A user block of a big file's length stands before it."""
    path = tmp_path / "demos.hdf5"
    opened(path, lambda file: file["data"].attrs.__setitem__("env_args", "{}")).close()
    content = bytearray(path.read_bytes())
    free = content.index(SIGNATURE) + HEADER.size + OBJECT.size + 8  # behind the object of "{}"
    assert OBJECT.unpack_from(content, free)[0] == 0
    OBJECT.pack_into(content, free, 0, 0, 0, 0)
    path.write_bytes(b"\0" * before + content)
    if before:
        assert endless_heap(path) == before + free
        return
    with pytest.raises(UserError, match=f"is damaged at byte {free}: HDF5 would read its texts without end"):
        open_dataset(path)


def test_heaps_that_lie_over_each_other_are_refused_in_time(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    header = SIGNATURE + LOOKED_AT.to_bytes(8, "little")
    path.write_bytes((OBJECT.pack(0, 0, 0, 32) + header) * 2**14)  # each is walked through from its place on
    assert endless_heap(path) is not None


def test_whole_heaps_are_read(tmp_path: Path) -> None:
    texts = {f"text_{i}": "t" * 100 * i for i in range(60)}  # collections of several sizes, some full
    path = tmp_path / "demos.hdf5"
    opened(path, lambda file: file["data"].attrs.update(texts)).close()
    assert endless_heap(path) is None
