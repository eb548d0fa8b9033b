"""What HDF5 files say of themselves: damaged, of another type, or not what it should be."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from tests.datasets.small_files import GYM, demo, write


@pytest.mark.parametrize("place", range(60))
def test_flipped_bytes_are_one_line_or_harmless(place: int, tmp_path: Path) -> None:
    content = bytearray(write(tmp_path / "d.hdf5", [demo(), demo(seed=1)]).read_bytes())
    rng = np.random.default_rng(place)
    for position in rng.integers(8, min(20_000, len(content)), 12):
        content[position] = rng.integers(256)
    (tmp_path / "d.hdf5").write_bytes(content)
    try:
        dataset = open_dataset(tmp_path / "d.hdf5")
        for name in dataset.episodes:
            dataset.episode_identity(name, "agentview")
            dataset.read_frames(name, "agentview")
    except UserError as error:
        assert "d.hdf5" in str(error) and "\n" not in str(error)


def with_attribute(path: Path, where: str, name: str, value: Any) -> Path:
    write(path, [demo(), demo(seed=1)])
    with h5py.File(path, "a") as file:
        file[where].attrs[name] = value
    return path


NO_NUMBERS = ["x", np.nan, np.inf, 1.5, np.array([1, 2]), h5py.Empty("i8"), True, b"\xff"]


@pytest.mark.parametrize("name", ["seed", "num_samples"])
@pytest.mark.parametrize("value", NO_NUMBERS, ids=str)
def test_an_attribute_that_is_no_number_is_said(name: str, value: Any, tmp_path: Path) -> None:
    dataset = open_dataset(with_attribute(tmp_path / "d.hdf5", "data/demo_1", name, value))
    assert dataset.seeds == set()
    (warning,) = dataset.warnings
    assert warning.episode == "demo_1" and f"attribute {name}" in str(warning) and "\n" not in str(warning)


@pytest.mark.parametrize("value", [7, "7", 7.0, np.uint8(7), np.bytes_("7")], ids=repr)
def test_a_seed_is_a_whole_number_of_any_type(value: Any, tmp_path: Path) -> None:
    dataset = open_dataset(with_attribute(tmp_path / "d.hdf5", "data/demo_1", "seed", value))
    assert dataset.seeds == {7} and dataset.warnings == []


@pytest.mark.parametrize("value", ["1" + "0" * 400, "Infinity", "NaN", '"20"', "true", "-5", "[20]"])
def test_a_frequency_that_is_none_is_said(value: str, tmp_path: Path) -> None:
    env_args = json.dumps(GYM | {"env_kwargs": {"control_freq": 0}}).replace(": 0", f": {value}")
    dataset = open_dataset(write(tmp_path / "d.hdf5", [demo()], env_args=env_args))
    assert dataset.fps is None
    (warning,) = dataset.warnings
    assert "control_freq of env_args is" in str(warning) and len(str(warning)) < 300


@pytest.mark.parametrize(
    ("where", "value", "told"),
    [
        ("mask", np.array([b"demo_0"]), r"mask: found \|S6 of shape \(1,\), expected a group"),
        ("mask/train/x", np.array([b"demo_0"]), "mask/train: found a group, expected the names"),
        ("mask/train", np.array([0, 1]), r"mask/train: found int64 of shape \(2,\), expected the names"),
        ("mask/train", np.array([True, False]), "mask/train: found bool .*expected the names"),
        ("mask/train", h5py.SoftLink("/nowhere"), "mask/train: its link to /nowhere leads nowhere"),
    ],
)
def test_a_mask_that_names_no_demonstrations_is_refused(
    where: str, value: Any, told: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "d.hdf5", [demo(), demo(seed=1)])
    with h5py.File(path, "a") as file:
        file[where] = value
    with pytest.raises(UserError, match=told):
        open_dataset(path)


def test_attributes_of_one_element_arrays_are_read(tmp_path: Path) -> None:
    """As MATLAB and lists in h5py write them."""
    path = write(tmp_path / "d.hdf5", [demo()])
    with h5py.File(path, "a") as file:
        file["data"].attrs["env_args"] = np.array([json.dumps(GYM)], dtype=h5py.string_dtype())
        file["data/demo_0"].attrs["num_samples"] = np.array([6])
        file["data/demo_0"].attrs["seed"] = [7]
    dataset = open_dataset(path)
    assert dataset.env_args == GYM and dataset.seeds == {7}
    assert not [warning for warning in dataset.warnings if "num_samples" in str(warning)]
