"""`s2robot render`: the frames of states, as they were recorded or of another size and other cameras."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import mujoco
import numpy as np
import pytest

import envs
from s2robot.collecting import render as render_module
from s2robot.collecting.render import render
from s2robot.datasets import open_dataset
from s2robot.errors import UserError


def test_own_size_gives_the_recorded_frames(demos_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "again.hdf5"
    render(demos_path, out, (64, 64))
    with h5py.File(demos_path) as recorded, h5py.File(out) as rendered:
        assert recorded["mask"].keys() == rendered["mask"].keys()
        for name, demo in recorded["data"].items():
            other = rendered["data"][name]
            assert dict(demo.attrs) == dict(other.attrs)
            for key in demo["obs"]:
                np.testing.assert_array_equal(demo["obs"][key][:], other["obs"][key][:], err_msg=key)
            np.testing.assert_array_equal(demo["actions"][:], other["actions"][:])
    assert [path.name for path in tmp_path.iterdir()] == ["again.hdf5"]


def test_command_renders_another_size_that_the_environment_then_has(demos_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "wide.hdf5"
    words = ["render", str(demos_path), "--size", "32", "48", "--cameras", "agentview", "--out", str(out)]
    told = subprocess.run(
        [sys.executable, "-m", "s2robot", *words], capture_output=True, text=True, check=True
    )
    assert f"wrote {out}" in told.stdout
    demos = open_dataset(out)
    assert list(demos.cameras) == ["agentview"]
    assert demos.image_size("agentview") == (32, 48)
    assert demos.env_args is not None
    env = gymnasium.make(demos.env_args["env_name"], **demos.env_args["env_kwargs"])
    assert isinstance(env.observation_space, gymnasium.spaces.Dict)
    assert env.observation_space["agentview_image"].shape == (32, 48, 3)
    env.close()


def test_a_killed_run_goes_on_where_it_stopped(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole.hdf5", tmp_path / "out.hdf5"
    render(demos_path, whole, (32, 32))
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from s2robot.collecting import render\n"
        "add, done = render._add_frames, []\n"
        "def dying(*arguments):\n"
        "    if done: os.kill(os.getpid(), 9)\n"
        "    done.append(add(*arguments))\n"
        "render._add_frames = dying\n"
        "render.render(Path(sys.argv[1]), Path(sys.argv[2]), (32, 32))\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(demos_path), str(out)], check=False)
    assert killed.returncode == -9 and not out.exists()
    parts = tmp_path / "out.hdf5.parts"
    (finished,) = parts.glob("*.hdf5")
    with pytest.raises(UserError, match=r"size is \[32, 32\], not \[16, 16\]"):
        render(demos_path, out, (16, 16))

    add = render_module._add_frames
    drawn: list[Any] = []

    def noting(*arguments: Any) -> None:
        drawn.append(arguments[1])
        add(*arguments)

    monkeypatch.setattr(render_module, "_add_frames", noting)
    frames = render(demos_path, out, (32, 32))
    with h5py.File(whole) as expected, h5py.File(out) as got:
        names = set(expected["data"])
        assert {where.rpartition(" ")[2] for where in drawn} == names - {finished.stem}
        assert names == set(got["data"])
        assert expected["data"].attrs["env_args"] == got["data"].attrs["env_args"]
        images = [f"data/{n}/obs/{k}" for n in names for k in got[f"data/{n}/obs"] if k.endswith("_image")]
        for path in images:
            np.testing.assert_array_equal(expected[path][:], got[path][:])
        assert frames == sum(len(got[path]) for path in images)
    assert not parts.exists()


def test_parts_that_say_nothing_of_themselves_are_not_used(demos_path: Path, tmp_path: Path) -> None:
    parts = tmp_path / "out.hdf5.parts"
    parts.mkdir()
    (parts / "demo_0.hdf5").write_bytes(b"of unknown origin")
    with pytest.raises(UserError, match=r"has no settings\.json"):
        render(demos_path, tmp_path / "out.hdf5", (32, 32))
    assert [path.name for path in parts.iterdir()] == ["demo_0.hdf5"]


def changed(source: Path, target: Path, change: Any) -> Path:
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        old.copy("data", new)
        change(new["data"])
    return target


def without_states(data: h5py.Group) -> None:
    del data["demo_1"]["states"]


def of_another_task(data: h5py.Group) -> None:
    data.attrs["env_args"] = json.dumps({"env_name": "Door", "type": 1, "env_kwargs": {}})


def of_no_json(data: h5py.Group) -> None:
    data.attrs["env_args"] = "{"


def of_no_environment(data: h5py.Group) -> None:
    data.attrs["env_args"] = json.dumps({"env_name": None})


def of_robosuite(data: h5py.Group) -> None:
    data.attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1, "env_kwargs": {}})


@pytest.mark.parametrize(
    ("change", "cameras", "message"),
    [
        (without_states, None, "demo_1 has no states"),
        (of_another_task, None, "unknown environment .*robosuite-Door-v0"),
        (of_no_json, None, r"data\.env_args is not JSON"),
        (of_no_environment, None, "has no env_name"),
        (of_robosuite, None, r"pip install 's2robot\[robosuite\]'"),
        (lambda data: None, ["agentvue"], "did you mean 'agentview'"),
    ],
)
def test_mistakes_leave_nothing(
    change: Any, cameras: Any, message: str, demos_path: Path, tmp_path: Path
) -> None:
    data = changed(demos_path, tmp_path / "data.hdf5", change)
    with pytest.raises(UserError, match=message):
        render(data, tmp_path / "out.hdf5", (32, 32), cameras)
    assert [path.name for path in tmp_path.iterdir()] == ["data.hdf5"]


def test_demonstrations_of_any_name_are_rendered(demos_path: Path, tmp_path: Path) -> None:
    data = changed(demos_path, tmp_path / "data.hdf5", lambda data: data.move("demo_1", "a morning's try"))
    render(data, tmp_path / "out.hdf5", (32, 32), ["agentview"])
    with h5py.File(tmp_path / "out.hdf5") as file:
        assert set(file["data"]) == {"demo_0", "a morning's try", "demo_2"}


def test_nothing_is_overwritten(demos_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the dataset itself"):
        render(demos_path, demos_path, (32, 32))
    (tmp_path / "there.hdf5").touch()
    with pytest.raises(UserError, match="exists"):
        render(demos_path, tmp_path / "there.hdf5", (32, 32))


def test_without_robosuite_its_tasks_name_the_extra() -> None:
    with pytest.raises(gymnasium.error.DependencyNotInstalled, match=r"pip install 's2robot\[robosuite\]'"):
        gymnasium.make("s2robot/robosuite-Lift-v0")
    assert set(envs.KNOWN) - set(envs.TASKS) == {
        *("s2robot/robosuite-Lift-v0", "s2robot/robosuite-NutAssemblySquare-v0"),
        "s2robot/robosuite-PickPlaceCan-v0",
    }


@pytest.mark.parametrize("value", [1e300, -2e10, np.nan])
def test_impossible_states_are_named(value: float, demos_path: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.hdf5"
    bad.write_bytes(demos_path.read_bytes())
    with h5py.File(bad, "r+") as file:
        file["data/demo_1/states"][3, 2] = value
        del file["data/demo_0"]
    with pytest.raises(UserError, match=r"demo_1: state has .* at index 2; expected finite numbers"):
        render(bad, tmp_path / "out.hdf5", (16, 16))
    assert list(tmp_path.iterdir()) == [bad]


def test_mujocos_warnings_are_logged_and_write_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    env = gymnasium.make("s2robot/PickCube-v0", image_size=16, cameras=[])
    env.reset(seed=0)
    task: Any = env.unwrapped
    task.data.qvel[0] = np.nan
    mujoco.mj_step(task.model, task.data)
    env.close()
    assert "QVEL" in caplog.text
    assert list(tmp_path.iterdir()) == []
