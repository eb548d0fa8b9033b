"""What `s2robot collect` writes: robomimic's format, the same however many write it and if it is killed."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np
import pytest
import robomimic.utils.obs_utils as obs_utils
from robomimic.utils.dataset import SequenceDataset

import envs
from s2robot.collecting.attempt import run_attempt
from s2robot.collecting.collect import Collection, collect
from s2robot.collecting.collection import episode_seed, resolve
from s2robot.collecting.disturbance import Disturbance
from s2robot.commands import cli
from s2robot.errors import UserError

COLLECTION = Collection("s2robot/PickCube-v0", episodes=3, seed=5, env_kwargs={"image_size": 64})


def contents(path: Path) -> dict[str, object]:
    """Every dataset and attribute of a file."""
    found: dict[str, object] = {}

    def note(name: str, node: h5py.Group | h5py.Dataset) -> None:
        found.update({f"{name}@{key}": str(value) for key, value in node.attrs.items()})
        if isinstance(node, h5py.Dataset):
            found[name] = node[()].tobytes()

    with h5py.File(path) as file:
        file.visititems(note)
    return found


def test_one_worker_writes_what_two_write(
    demos_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert collect(COLLECTION, tmp_path / "one.hdf5", workers=1)
    assert ": 3/3," in capsys.readouterr().err  # attempts that run beyond those are not counted
    assert contents(tmp_path / "one.hdf5") == contents(demos_path)
    assert os.listdir(tmp_path) == ["one.hdf5"]


def test_killed_collection_goes_on_to_the_same_content(demos_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed.hdf5"
    command = [
        sys.executable,
        "-m",
        "s2robot",
        "collect",
        "--env",
        "s2robot/PickCube-v0",
        "--image-size",
        "64",
    ]
    command += ["--episodes", "3", "--seed", "5", "--workers", "1", "--out", str(out)]
    process = subprocess.Popen(command, start_new_session=True)
    while process.poll() is None and not list(tmp_path.glob("killed.hdf5.parts/*.hdf5")):
        pass
    assert process.poll() is None, "it ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    first_part = min(tmp_path.glob("killed.hdf5.parts/*.hdf5"))
    written = first_part.stat().st_mtime_ns

    progressed = subprocess.run(command, capture_output=True, text=True, check=True)

    assert f"wrote {out}" in progressed.stdout
    assert written < out.stat().st_mtime_ns
    assert contents(out) == contents(demos_path)


def test_found_again_and_never_overwritten(demos_path: Path) -> None:
    before = demos_path.stat().st_mtime_ns
    assert not collect(COLLECTION, demos_path)
    with pytest.raises(UserError, match="seed is 5, not 6"):
        collect(replace(COLLECTION, seed=6), demos_path)
    assert demos_path.stat().st_mtime_ns == before


def test_robomimic_accepts_the_file(demos_path: Path) -> None:
    command = [sys.executable, "-m", "robomimic.scripts.get_dataset_info", "--dataset", str(demos_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "total trajectories: 3" in told
    assert "filter key train with 2 demos" in told
    assert "filter key valid with 1 demos" in told


def test_robomimic_reads_images_and_actions(demos_path: Path) -> None:
    keys = ["agentview_image", "robot0_eye_in_hand_image", "robot0_eef_pos"]
    obs_utils.initialize_obs_modality_mapping_from_dict({"rgb": keys[:2], "low_dim": keys[2:]})
    dataset = SequenceDataset(
        str(demos_path), obs_keys=keys, dataset_keys=["actions"], seq_length=4, load_next_obs=False
    )
    with h5py.File(demos_path) as file:
        demo = file["data/demo_0"]
        frames, actions = demo["obs/agentview_image"][:4], demo["actions"][:4]
    item = dataset[0]
    np.testing.assert_array_equal(item["obs"]["agentview_image"], frames)
    np.testing.assert_array_equal(item["actions"], actions)


def test_file_replays_to_its_own_states(demos_path: Path) -> None:
    """`actions_executed` from the first state leads through all recorded states, and success was real."""
    with h5py.File(demos_path) as file:
        env_args = json.loads(file["data"].attrs["env_args"])
        demo = file["data/demo_1"]
        states, executed, actions = demo["states"][:], demo["actions_executed"][:], demo["actions"][:]
        dones, rewards = demo["dones"][:], demo["rewards"][:]
    env = gymnasium.make(env_args["env_name"], **env_args["env_kwargs"])
    env.reset(seed=0)
    task: Any = env.unwrapped
    task.set_state(states[0])
    for state, action in zip(states, executed, strict=True):
        np.testing.assert_array_equal(task.get_state(), state)
        *_, info = env.step(action)
    env.close()
    assert info["success"]
    assert not np.array_equal(actions, executed)  # it was disturbed
    assert dones.tolist() == [0] * (len(dones) - 1) + [1]
    assert rewards[-1] == 1


def test_images_are_compressed_in_chunks_of_a_frame(demos_path: Path) -> None:
    with h5py.File(demos_path) as file:
        images = file["data/demo_0/obs/agentview_image"]
        assert images.compression == "gzip"
        assert images.chunks == (1, 64, 64, 3)


def test_disturbance_is_bounded_and_spares_the_gripper() -> None:
    rng, disturb = np.random.default_rng(0), Disturbance(0.1, 0.04, drift=0.05)
    action = np.full(7, 0.9, np.float32)
    pushes = 0
    for _ in range(500):
        executed = disturb(action, rng)
        assert np.abs(executed).max() <= 1
        assert executed[6] == action[6]
        pushes += bool(disturb.push.any())
    assert 20 < pushes < 150  # one begins in 1 of 25 steps and lasts 3 on average


def test_a_drift_is_weak_turns_as_well_and_lasts() -> None:
    rng, disturb = np.random.default_rng(0), Disturbance(0.0, 0.0, drift=0.05)
    added = np.stack([disturb(np.zeros(7, np.float32), rng)[:6] for _ in range(2000)])
    drifts = added[np.r_[True, (added[1:] != added[:-1]).any(axis=1)]]
    drifts = drifts[drifts.any(axis=1)]

    lengths = np.linalg.norm(drifts.reshape(-1, 2, 3), axis=2)
    assert 0.02 < lengths.mean() < 0.03
    assert lengths.max() <= 0.05
    assert 7 < added.any(axis=1).sum() / len(drifts) < 13  # steps


@pytest.mark.parametrize("env_id", sorted(envs.TASKS))
def test_most_attempts_succeed_as_each_task_is_disturbed_by_default(env_id: str) -> None:
    collection = resolve(Collection(env_id, episodes=1))
    assert collection.noise == envs.TASKS[env_id].noise > 0
    env = gymnasium.make(env_id)
    task: Any = env.unwrapped
    task.images_in_step = False
    attempts = [run_attempt(collection, k, env) for k in range(12)]
    env.close()
    assert sum(attempt.success for attempt in attempts) >= 9
    assert all((a.arrays["actions"] != a.arrays["actions_executed"]).any() for a in attempts)


def test_arguments_of_the_task_are_taken_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.hdf5"
    words = ["--env", "s2robot/PegInsertion-v0", "--image-size", "32", "--episodes", "2", "--workers", "2"]
    told = ["--env-kwargs", "clearance=0.004", "vary_scene=true", "wrist_camera=false", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["s2robot", "collect", *words, *told])

    cli.main()

    assert f"wrote {out}: 2 demonstrations" in capsys.readouterr().out
    with h5py.File(out) as file:
        env_args = json.loads(file["data"].attrs["env_args"])
        assert file["data"].attrs["total"] == sum(len(demo["actions"]) for demo in file["data"].values())
    kwargs = {"clearance": 0.004, "vary_scene": True, "wrist_camera": False}
    assert env_args["env_kwargs"].items() >= (kwargs | {"cameras": ["agentview"]}).items()


def test_the_disturbance_asked_for_is_kept() -> None:
    wanted = Collection("s2robot/PegInsertion-v0", 1, noise=0.0, push_probability=0.5, drift=0.01)
    asked = resolve(wanted)
    assert (asked.noise, asked.push_probability, asked.drift) == (0.0, 0.5, 0.01)


def test_collections_with_other_seeds_share_no_episode() -> None:
    assert episode_seed(0, 999_999) < episode_seed(1, 0)
    with pytest.raises(UserError, match="split it"):
        episode_seed(0, 1_000_000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"env_id": "s2robot/PickCub-v0"}, "did you mean 's2robot/PickCube-v0'"),
        ({"env_id": "CartPole-v1"}, "--env CartPole-v1: Gymnasium has it, but no scripted expert"),
        ({"episodes": 0}, "at least 1"),
        ({"seed": -1}, "start at 0"),
        ({"noise": float("nan")}, "--noise nan: it must be a number from 0 to 1"),
        ({"push_probability": 2.0}, "--push-probability 2.0"),
        ({"env_kwargs": {"image_size": 0}}, "image_size is 0"),
        ({"env_kwargs": {"cameras": ["agentvue"]}}, "unknown camera 'agentvue'"),
    ],
)
def test_bad_settings_leave_nothing_behind(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        collect(replace(COLLECTION, **change), tmp_path / "bad.hdf5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", [0, -1])
def test_nobody_cannot_collect(workers: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"--workers {workers}: it must be at least 1"):
        collect(COLLECTION, tmp_path / "bad.hdf5", workers)
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder_to_write_into(tmp_path: Path) -> None:
    (tmp_path / "d.hdf5").touch()
    with pytest.raises(UserError, match=rf"^{tmp_path}/d.hdf5/x.hdf5: {tmp_path}/d.hdf5 is a file"):
        collect(COLLECTION, tmp_path / "d.hdf5" / "x.hdf5")
    assert [path.name for path in tmp_path.iterdir()] == ["d.hdf5"]
