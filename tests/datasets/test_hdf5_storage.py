"""Arrays of which HDF5 gives zeros or nothing: parts never written, filters that are missing."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from s2robot.datasets import hdf5_arrays, open_dataset
from s2robot.errors import UserError
from tests.datasets.small_files import demo, picture, write

KEY = "data/demo_1/actions"


def replaced(path: Path, key: str, rows: int, written: int) -> None:
    """An array anew, in chunks of two rows of which the last were never written."""
    with h5py.File(path, "a") as file:
        values = file[key][:]
        del file[key]
        array = file.create_dataset(key, values.shape, values.dtype, chunks=(2, *values.shape[1:]))
        array[:written] = values[:written]


@pytest.mark.parametrize("key", [KEY, "data/demo_1/obs/agentview_image"])
def test_rows_that_were_never_written_are_refused(key: str, tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(), demo(seed=1)])
    replaced(path, key, 6, 4)
    with pytest.raises(UserError, match=r"demo_1, .*only 2 of its 3 chunks were ever written"):
        open_dataset(path)
    replaced(path, key, 6, 6)
    assert list(open_dataset(path).lengths) == [6, 6]


def test_a_virtual_array_with_a_gap_is_refused(tmp_path: Path) -> None:
    path, frames = write(tmp_path / "d.hdf5", [demo()]), picture(6)
    with h5py.File(tmp_path / "source.hdf5", "w") as file:
        file["x"] = frames
    layout = h5py.VirtualLayout(frames.shape, np.uint8)
    layout[:4] = h5py.VirtualSource(tmp_path / "source.hdf5", "x", frames.shape)[:4]
    with h5py.File(path, "a") as file:
        del file["data/demo_0/obs/agentview_image"]
        file.create_virtual_dataset("data/demo_0/obs/agentview_image", layout)
    told = f"only {frames[:4].size} of its {frames.size} numbers are mapped"
    with pytest.raises(UserError, match=told):
        open_dataset(path)


def test_a_filter_that_is_missing_is_named_when_the_file_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "d.hdf5", [demo()])
    with h5py.File(path, "a") as file:
        del file["data/demo_0/actions"]
        file.create_dataset("data/demo_0/actions", data=np.ones((6, 7)), compression="lzf")
    open_dataset(path)
    monkeypatch.setattr(hdf5_arrays, "_can_unpack", lambda code: False)
    with pytest.raises(
        UserError, match=r"filter 32000 \(lzf\), which is missing here: pip install hdf5plugin"
    ):
        open_dataset(path)
