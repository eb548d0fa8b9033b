"""A task that a plugin registers is collected like this project's own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import h5py
import numpy as np
import pytest

import envs
from s2robot import plugins
from s2robot.collecting.collect import Collection, collect
from s2robot.datasets import open_dataset
from s2robot.errors import UserError


@pytest.fixture
def loaded() -> Iterator[None]:
    """The plugin, loaded as `--plugins plugin_task` does."""
    plugins.load(["plugin_task"])
    yield
    plugins._loaded.pop("plugin_task")
    del sys.modules["plugin_task"], envs.KNOWN["somebody/Dot-v0"], gymnasium.registry["somebody/Dot-v0"]


@pytest.mark.usefixtures("loaded")
def test_a_plugins_task_is_collected(tmp_path: Path) -> None:
    out = tmp_path / "dots.hdf5"

    assert collect(Collection("somebody/Dot-v0", episodes=3, env_kwargs={"goal": 0.5}), out, workers=2)

    with h5py.File(out) as file:
        env_args, demo = json.loads(file["data"].attrs["env_args"]), file["data/demo_0"]
        assert env_args == {"env_name": "somebody/Dot-v0", "env_kwargs": {"goal": 0.5}, "type": 2}
        assert "states" not in demo and "model_file" not in demo.attrs  # the task has neither
        assert demo["actions"][:].tolist() == [[1.5, 0.0]] * len(demo["actions"])
        executed = demo["actions_executed"][:]
        assert executed.dtype == np.float32 and np.abs(executed).max() > 1  # its own limits
        moved = demo["obs/pos"][0] + 0.1 * executed[0]
        np.testing.assert_allclose(demo["obs/pos"][1], moved, atol=1e-6)
    assert list(open_dataset(out, proprio=["pos"]).cameras) == ["agentview"]


@pytest.mark.usefixtures("loaded")
def test_wrong_arguments_of_it_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot make environment 'somebody/Dot-v0' with .*colour"):
        collect(Collection("somebody/Dot-v0", episodes=3, env_kwargs={"colour": "red"}), tmp_path / "a.hdf5")


@pytest.mark.usefixtures("loaded")
def test_an_id_that_is_taken_is_refused() -> None:
    with pytest.raises(ValueError, match="'somebody/Dot-v0' is registered twice"):
        envs.register("somebody/Dot-v0", envs.KNOWN["somebody/Dot-v0"])


def test_without_the_plugin_its_task_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown environment 'somebody/Dot-v0'"):
        collect(Collection("somebody/Dot-v0", episodes=3), tmp_path / "a.hdf5")


def test_the_command_takes_the_plugin(tmp_path: Path) -> None:
    out, here = tmp_path / "dots.hdf5", Path(__file__).parent
    words = ["--plugins", "plugin_task", "--env", "somebody/Dot-v0", "--episodes", "1", "--workers", "1"]

    done = subprocess.run(
        [sys.executable, "-m", "s2robot", "collect", *words, "--out", str(out)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert f"wrote {out}: 1 demonstration," in done.stdout
