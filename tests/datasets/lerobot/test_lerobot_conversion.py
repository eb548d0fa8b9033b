"""Demonstrations in robomimic's format become a LeRobot folder and nothing that is needed gets lost."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.lerobot.conversion import convert
from s2robot.errors import UserError


@pytest.fixture(scope="module")
def lossless(demos_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The demonstrations of PickCube as a LeRobot folder with exact pixels."""
    out = tmp_path_factory.mktemp("lerobot") / "set"
    convert(open_dataset(demos_path), out, lossless=True, shown=False)
    return open_dataset(out)


def test_training_sees_the_same(demos_path: Path, lossless: Dataset) -> None:
    source = open_dataset(demos_path)
    assert (lossless.format, lossless.fps, lossless.warnings) == ("lerobot", source.fps, [])
    np.testing.assert_array_equal(lossless.actions(), source.actions())
    proprio = lossless.proprioception()
    assert list(proprio) == list(source.proprioception())
    for name, rows in source.proprioception().items():
        np.testing.assert_array_equal(proprio[name], rows)
    assert list(lossless.cameras) == list(source.cameras)
    for camera in source.cameras:
        for mine, theirs in zip(lossless.episodes, source.episodes, strict=True):
            np.testing.assert_array_equal(
                lossless.read_frames(mine, camera), source.read_frames(theirs, camera)
            )


def test_what_evaluation_needs_is_carried_along(demos_path: Path, lossless: Dataset) -> None:
    source = open_dataset(demos_path)
    assert lossless.env_args == source.env_args and lossless.seeds == source.seeds
    assert lossless.splits("train", "valid") == source.splits("train", "valid")
    executed, expected = lossless.executed_actions(), source.executed_actions()
    assert executed is not None and expected is not None
    np.testing.assert_array_equal(executed, expected)
    for mine, theirs in zip(lossless.records, source.records, strict=True):
        for key in ("model_file", "success"):
            assert mine.recorded.info[key] == theirs.recorded.info[key]
        np.testing.assert_array_equal(
            mine.source.read(mine.number, "extras/states"), theirs.source.read(theirs.number, "states")
        )
        assert mine.recorded.tasks == ("s2robot/PickCube-v0",)


def test_the_columns_and_the_state(demos_path: Path, lossless: Dataset) -> None:
    source = open_dataset(demos_path)
    together = np.concatenate(list(source.proprioception().values()), axis=1)
    np.testing.assert_array_equal(lossless.low_dim("observation.state"), together)
    np.testing.assert_array_equal(lossless.low_dim("observation.environment_state"), source.low_dim("object"))
    assert lossless.numbers("next.done").sum() == source.numbers("dones").astype(bool).sum()
    with pytest.raises(UserError, match="privileged"):
        lossless.proprioception(["observation.environment_state"])


def test_video_is_near_and_what_gets_lost_is_said(demos_path: Path, tmp_path: Path) -> None:
    source = open_dataset(demos_path)
    lost = convert(source, tmp_path / "set", shown=False)
    assert "H.264" in lost[0] and any("float64" in line for line in lost)
    found = open_dataset(tmp_path / "set")
    for camera in source.cameras:
        for mine, theirs in zip(found.episodes, source.episodes, strict=True):
            frames, expected = found.read_frames(mine, camera), source.read_frames(theirs, camera)
            assert np.abs(frames.astype(float) - expected).mean((1, 2, 3)).max() < 5


def test_a_rate_is_needed(demos_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.hdf5"
    with h5py.File(demos_path) as source, h5py.File(path, "w") as target:
        source.copy("data", target)
        del target["data"].attrs["env_args"]
    with pytest.raises(UserError, match=r"steps a second .* --fps"):
        convert(open_dataset(path), tmp_path / "set", shown=False)
    convert(open_dataset(path), tmp_path / "set", lossless=True, fps=12, shown=False)
    found = open_dataset(tmp_path / "set")
    assert found.fps == 12 and found.env_args is None and found.source.masks == {}


def test_an_array_that_some_episodes_lack_is_kept_in_extras(demos_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.hdf5"
    with h5py.File(demos_path) as source, h5py.File(path, "w") as target:
        source.copy("data", target)
        target["data/demo_1/obs/touch"] = np.arange(len(target["data/demo_1/actions"]))
        target["data/demo_0/obs/depth_image_feat"] = np.ones((len(target["data/demo_0/actions"]), 2))
    convert(open_dataset(path), tmp_path / "set", lossless=True, shown=False)
    source = open_dataset(tmp_path / "set").source
    extras = [[key for key in one.arrays if key.startswith("extras/obs/")] for one in source.episodes]
    assert extras == [["extras/obs/depth_image_feat"], ["extras/obs/touch"], []]
    np.testing.assert_array_equal(source.read(1, "extras/obs/touch", 2, 5), [2, 3, 4])
