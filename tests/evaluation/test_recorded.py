"""The environment that a policy is rolled out in, as its dataset says it."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.evaluation.options import EnvConfig
from s2robot.evaluation.recorded import check_recorded_environment, recorded_environment, why_no_rollouts
from s2robot.types import CameraSpec, Spec

FLAT = {"type": "OSC_POSE", "control_delta": True}
COMPOSITE = {"type": "BASIC", "body_parts": {"right": {"type": "OSC_POSE", "input_type": "delta"}}}


def dataset(path: Path, env_args: object, recorded: np.ndarray | None = None, **options: Any) -> Dataset:
    """A file with these env_args and actions, in no environment's box unless small."""
    with h5py.File(path, "w") as file:
        rows = np.zeros((4, 7)) if recorded is None else recorded
        file["data/demo_0/actions"] = file["data/demo_0/actions_abs"] = rows
        file["data/demo_0/obs/robot0_eef_pos"] = np.zeros((4, 3))
        file["data"].attrs["env_args"] = json.dumps(env_args)
    return open_dataset(path, cameras=[], proprio=["robot0_eef_pos"], **options)


def lift(controller: object) -> dict[str, Any]:
    return {"env_name": "Lift", "type": 1, "env_kwargs": {"controller_configs": controller}}


@pytest.mark.parametrize(
    "env_args",
    [
        "RealArm",
        {"env_name": "A", "type": 2},
        {"type": 2, "env_kwargs": {}},
        lift(FLAT) | {"type": 3},
        {"env_name": "Lift", "type": 1, "env_kwargs": {"camera_heights": []}},
    ],
)
def test_env_args_of_no_use_name_no_environment_and_are_said(env_args: object, tmp_path: Path) -> None:
    opened = dataset(tmp_path / "d.hdf5", env_args)
    assert recorded_environment(opened) == ("", {})
    assert [str(w) for w in opened.warnings if "there will be no rollouts" in str(w)]


def test_empty_env_args_are_none(tmp_path: Path) -> None:
    opened = dataset(tmp_path / "d.hdf5", {})
    assert recorded_environment(opened) == ("", {}) and not opened.env_problem
    assert "the dataset names no environment" in why_no_rollouts(opened, "", EnvConfig())


@pytest.mark.parametrize("controller", [FLAT, COMPOSITE])
def test_absolute_actions_switch_the_controller(controller: dict[str, Any], tmp_path: Path) -> None:
    def made(**options: Any) -> dict[str, Any]:
        path = tmp_path / f"{'_'.join(options)}.hdf5"
        _, kwargs = recorded_environment(dataset(path, lift(controller), **options))
        return kwargs["env_kwargs"]["controller_configs"]

    assert made() == controller
    changed = made(actions=["actions_abs"])
    assert changed == made(absolute=True) != controller
    part = changed.get("body_parts", {"right": changed})["right"]
    assert part.get("control_delta") is False or part.get("input_type") == "absolute"


PICK_CUBE = {"env_name": "s2robot/PickCube-v0", "type": 2, "env_kwargs": {"image_size": 32}}


def spec(dim: int = 7, cameras: dict[str, CameraSpec] | None = None) -> Spec:
    return Spec("s2robot/PickCube-v0", {"image_size": 32}, dim, {"robot0_eef_pos": 3}, cameras or {})


def test_actions_outside_of_the_environment_s_box_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    actions = np.zeros((4, 7))
    actions[2, 5] = 20
    opened = dataset(tmp_path / "d.hdf5", PICK_CUBE, actions)
    assert check_recorded_environment(opened, spec()) == spec()
    assert "1 of 4 actions are outside of the environment's box, the worst 20" in capsys.readouterr().out


def test_chosen_actions_that_the_environment_does_not_take_leave_it_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = dataset(tmp_path / "d.hdf5", PICK_CUBE, np.zeros((4, 10)), actions=["actions_abs"])
    assert check_recorded_environment(opened, spec(10)).env_id == ""
    assert "no rollouts with these actions" in capsys.readouterr().out


def test_an_environment_that_is_not_here_is_named_without_a_list(tmp_path: Path) -> None:
    opened = dataset(tmp_path / "d.hdf5", {"env_name": "Libero_Floor", "type": 1, "env_kwargs": {}})
    env_id, _ = recorded_environment(opened)
    told = why_no_rollouts(opened, env_id, EnvConfig())
    assert "env_args names 'Libero_Floor'" in told and "env.id=" in told
    assert len(told) < 120 and "known" not in told
    assert "did you mean" in why_no_rollouts(opened, "s2robot/PickCub-v0", EnvConfig(id="s2robot/PickCub-v0"))


def test_another_environment_gets_no_arguments_of_the_recorded_one(tmp_path: Path) -> None:
    recorded = {
        "env_name": "s2robot/PickCube-v0",
        "type": 2,
        "env_kwargs": {"image_size": 64, "cube_size": 0.04},
    }
    opened = dataset(tmp_path / "d.hdf5", recorded)
    assert recorded_environment(opened) == ("s2robot/PickCube-v0", recorded["env_kwargs"])
    own = EnvConfig(id="Pendulum-v1", kwargs={"g": 9.0})
    assert recorded_environment(opened, own) == ("Pendulum-v1", {"g": 9.0})
    other = EnvConfig(id="s2robot/ThreadNut-v0")  # of this project: what it declares, too
    assert recorded_environment(opened, other) == ("s2robot/ThreadNut-v0", {"image_size": 64})
