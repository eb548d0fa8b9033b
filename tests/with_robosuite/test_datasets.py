"""What is collected of Lift: robomimic's own scripts read it, frames render again, policies train on it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from s2robot.collecting.playback import play
from s2robot.collecting.render import render
from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from s2robot.evaluation.recorded import recorded_environment
from s2robot.rollouts.resolving import make_env

ROOT = Path(__file__).parents[2]


def run(*words: str, path: Path | None = None) -> str:
    search = os.pathsep.join([str(ROOT), *([str(path)] if path else [])])
    environment = {**os.environ, "PYTHONPATH": search, "MUJOCO_GL": "egl", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_rendering_again_gives_the_recorded_frames(lift_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "again.hdf5"
    render(lift_path, out, (48, 48))
    with h5py.File(lift_path) as recorded, h5py.File(out) as rendered:
        for name in recorded["data"]:
            before, after = recorded["data"][name]["obs"], rendered["data"][name]["obs"]
            assert before.keys() == after.keys()
            for key in before:
                np.testing.assert_array_equal(before[key][:], after[key][:], err_msg=f"{name} {key}")
        assert json.loads(recorded["data"].attrs["env_args"]) == json.loads(
            rendered["data"].attrs["env_args"]
        )


def test_other_size_and_camera(lift_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "large.hdf5"
    run(
        "-m", "s2robot", "render", str(lift_path), "--size", "96", "--cameras", "frontview", "--out", str(out)
    )
    with h5py.File(out) as file:
        demo = file["data/demo_0"]
        assert demo["obs/frontview_image"].shape == (len(demo["actions"]), 96, 96, 3)
        assert "agentview_image" not in demo["obs"]
        assert json.loads(file["data"].attrs["env_args"])["env_kwargs"]["camera_heights"] == 96


def test_robomimic_plays_back(lift_path: Path, stand_ins: Path, tmp_path: Path) -> None:
    video = tmp_path / "playback.mp4"
    told = run(
        *("-m", "robomimic.scripts.playback_dataset", "--dataset", str(lift_path), "--n", "1"),
        *("--render_image_names", "agentview", "--video_path", str(video), "--video_skip", "10"),
        path=stand_ins,
    )
    assert "Playing back episode: demo_0" in told
    assert video.stat().st_size > 1000


def test_robomimic_turns_states_into_observations(lift_path: Path, stand_ins: Path) -> None:
    told = run(
        *("-m", "robomimic.scripts.dataset_states_to_obs", "--dataset", str(lift_path), "--n", "1"),
        *("--output_name", "theirs.hdf5", "--camera_names", "agentview", "--camera_height", "48"),
        *("--camera_width", "48", "--done_mode", "2"),
        path=stand_ins,
    )
    assert "Wrote 1 trajectories" in told
    with h5py.File(lift_path) as ours, h5py.File(lift_path.with_name("theirs.hdf5")) as theirs:
        one, other = ours["data/demo_0/obs"], theirs["data/demo_0/obs"]
        for key in ("robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos", "object"):
            np.testing.assert_allclose(one[key][:], other[key][:], atol=1e-5, err_msg=key)
        frames = one["agentview_image"][:].astype(int), other["agentview_image"][:].astype(int)
        assert np.abs(frames[0] - frames[1]).mean() < 20  # theirs have shadows
        assert np.abs(frames[0] - frames[1][:, ::-1]).mean() > 20
        assert theirs["data/demo_0/dones"][-1] == 1


def test_training_and_evaluating(lift_path: Path, tmp_path: Path) -> None:
    run(
        str(ROOT / "train.py"),
        *(f"data.path={lift_path}", f"run_dir={tmp_path}", "encoder.sizes=[48]", "encoder.backend=torch"),
        *("optim.steps=2", "optim.batch_size=4", "device=cpu"),
    )
    told = run(
        str(ROOT / "eval.py"),
        *(
            f"checkpoint={tmp_path}/checkpoints/last",
            "episodes=1",
            "workers=1",
            "backend=torch",
            "device=cpu",
        ),
    )
    assert "s2robot/robosuite-Lift-v0: " in told
    assert "of 1 succeeded" in told


@pytest.mark.parametrize(
    ("options", "message"),
    [({"cameras": ["agentvue"]}, "did you mean 'agentview'"), ({"size": (0, 8)}, "at least one pixel")],
)
def test_mistakes_leave_nothing(options: Any, message: str, lift_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        render(lift_path, tmp_path / "bad.hdf5", **{"size": (8, 8), **options})
    assert not list(tmp_path.iterdir())


def test_absolute_actions_are_executed_as_poses(lift_path: Path, tmp_path: Path) -> None:
    """`data.actions=[actions_abs]`: the goals that robosuite makes of deltas move the hand as these did."""
    path = tmp_path / "absolute.hdf5"
    shutil.copy(lift_path, path)
    with h5py.File(path, "a") as file:
        for demo in file["data"].values():
            demo["actions_abs"] = demo["actions"][:]  # only their name is read here
        deltas = file["data/demo_0/actions"][:24]
    plain, absolute = open_dataset(lift_path), open_dataset(path, actions=["actions_abs"])
    moved, posed = (_blind(*recorded_environment(dataset)) for dataset in (plain, absolute))
    controller = moved.unwrapped.sim_env.robots[0].composite_controller.part_controllers["right"]
    for action in deltas:
        expected = moved.step(action)[0]
        turn = Rotation.from_matrix(controller.goal_ori).as_rotvec()
        goal = np.array([*controller.goal_pos, *turn, action[6]], np.float32)
        found = posed.step(goal)[0]
        assert np.abs(goal[3:6]).max() > 1  # what a step of deltas would clip
        for key in ("robot0_eef_pos", "robot0_eef_quat", "object"):
            np.testing.assert_allclose(found[key], expected[key], atol=1e-5)
    for dataset in (plain, absolute):
        dataset.close()


def test_a_whole_episode_of_absolute_actions_solves_the_task(lift_path: Path, tmp_path: Path) -> None:
    """As robomimic's script makes them: from each stored state the goal that the delta gives."""
    path = tmp_path / "absolute.hdf5"
    shutil.copy(lift_path, path)
    moved = _blind(*recorded_environment(open_dataset(lift_path)))
    with h5py.File(path, "a") as file:
        for demo in file["data"].values():
            moved.reset(seed=int(demo.attrs["seed"]))
            robot = moved.unwrapped.sim_env.robots[0]  # a reset makes new controllers
            controller = robot.composite_controller.part_controllers["right"]
            goals = []
            for state, action in zip(demo["states"][:], demo["actions_executed"][:], strict=True):
                moved.unwrapped.set_state(state)
                robot.control(action, policy_step=True)
                turn = Rotation.from_matrix(controller.goal_ori).as_rotvec()
                goals.append([*controller.goal_pos, *turn, action[6]])
            demo["actions_abs"] = np.array(goals)
    played = play(open_dataset(path, actions=["actions_abs"]), "demo_1", tmp_path / "a.mp4", "actions")
    assert played.success is True
    assert 0 < played.divergence["robot0_eef_pos"].largest < 1e-5


def _blind(env_id: str, kwargs: dict[str, Any]) -> Any:
    """The environment without images, at the start of an episode."""
    env = make_env(env_id, {**kwargs, "cameras": []})
    env.reset(seed=5)
    return env
