"""What every registered environment promises."""

import hashlib
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
import psutil
import pytest
from gymnasium.utils.env_checker import check_env

import envs
from tests.envs.suite_tools import ALL, SIZE, make, pixel_of


def random_actions(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, 7)).astype(np.float32)


@ALL
def test_passes_gymnasiums_checker_without_warnings(env_id: str) -> None:
    env = gymnasium.make(env_id, image_size=SIZE, render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
        env.reset(seed=0)
        env.step(env.action_space.sample())
    env.close()


@ALL
def test_observations_are_what_the_space_says(env_id: str) -> None:
    env = make(env_id, image_size=(48, 64))
    obs, info = env.reset(seed=0)
    assert set(obs) == set(env.observation_space.spaces) and info == {"success": False}
    for action in random_actions(5):
        obs, reward, _, _, info = env.step(action)
        for key, space in env.observation_space.spaces.items():
            assert obs[key].shape == space.shape and obs[key].dtype == space.dtype
        assert env.observation_space.contains(obs)
        assert reward == 0.0 and info == {"success": False}
    assert obs["agentview_image"].shape == (48, 64, 3)
    env.close()


@ALL
def test_a_thousand_random_steps_stay_finite_and_within_joint_limits(env_id: str) -> None:
    env = make(env_id)
    task = env.unwrapped
    task.images_in_step = False
    low, high = np.array([task.model.joint(f"joint{i}").range for i in range(1, 8)]).T
    for step, action in enumerate(random_actions(1000)):
        if step % 100 == 0:
            env.reset(seed=step)
        obs, *_ = env.step(action)
        assert env.observation_space.contains(obs)
        target = task.panda.target[:7]
        assert (low <= target).all() and (target <= high).all()
        joints = np.array([task.data.joint(f"joint{i}").qpos[0] for i in range(1, 8)])
        assert (joints > low - 1e-3).all() and (joints < high + 1e-3).all()
    env.close()


def digest_of_an_episode(env_id: str) -> str:
    env = make(env_id)
    parts = []
    for seed in (7, 8):
        obs, _ = env.reset(seed=seed)
        parts += [obs[key].tobytes() for key in sorted(obs)]
        for action in random_actions(5, seed):
            obs, *_ = env.step(action)
            parts += [obs[key].tobytes() for key in sorted(obs)]
    env.close()
    return hashlib.sha256(b"".join(parts)).hexdigest()


@ALL
def test_a_seed_gives_the_same_episode_in_another_process(env_id: str) -> None:
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r});"
    code += f"import tests.envs.test_env_contract as t; print(t.digest_of_an_episode({env_id!r}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.split()[-1] == digest_of_an_episode(env_id)


@ALL
def test_another_seed_gives_another_start(env_id: str) -> None:
    env = make(env_id)
    first, second = env.reset(seed=0)[0], env.reset(seed=1)[0]
    assert not np.allclose(first["object"], second["object"])
    assert not np.array_equal(first["agentview_image"], second["agentview_image"])
    env.close()


@ALL
def test_a_restored_state_continues_bit_for_bit_in_another_environment(env_id: str) -> None:
    first, second = make(env_id), make(env_id)
    expert = envs.make_expert(env_id)
    first.reset(seed=3)
    second.reset(seed=4)
    for _ in range(28):  # into the grasp
        first.step(expert(first))
    state = first.unwrapped.get_state()
    second.unwrapped.set_state(state)
    np.testing.assert_array_equal(second.unwrapped.get_state(), state)
    for action in [expert(first) for _ in range(3)] + list(random_actions(10)):
        want, *want_rest = first.step(action)
        got, *got_rest = second.step(action)
        assert want_rest == got_rest
        for key in want:
            np.testing.assert_array_equal(got[key], want[key], err_msg=key)
    np.testing.assert_array_equal(second.unwrapped.get_state(), first.unwrapped.get_state())
    first.close()
    second.close()


def test_the_success_counter_is_part_of_the_state() -> None:
    env = make("s2robot/PickCube-v0")
    env.unwrapped.images_in_step = False
    expert = envs.make_expert("s2robot/PickCube-v0")
    env.reset(seed=0)
    states, terminated = [], False
    while not terminated:
        states.append(env.unwrapped.get_state())
        *_, terminated, _, _ = env.step(expert(env))
    env.reset(seed=1)
    env.unwrapped.set_state(states[-1])  # four steps of success so far
    assert env.step(expert(env))[2]
    env.close()


def test_a_state_of_another_length_is_refused() -> None:
    env = make("s2robot/PickCube-v0")
    with pytest.raises(ValueError, match="state has shape"):
        env.unwrapped.set_state(np.zeros(3))


@ALL
def test_the_xml_is_the_scene(env_id: str) -> None:
    task = make(env_id).unwrapped
    again = mujoco.MjModel.from_xml_string(task.model_xml())
    assert (again.nq, again.nv, again.nu, again.ngeom, again.ncam) == (
        task.model.nq,
        task.model.nv,
        task.model.nu,
        task.model.ngeom,
        task.model.ncam,
    )
    np.testing.assert_allclose(again.geom_size, task.model.geom_size, atol=1e-6)
    np.testing.assert_allclose(again.cam_pos, task.model.cam_pos, atol=1e-5)


def is_red(pixel: Any) -> bool:
    red, green, blue = (int(c) for c in pixel)
    return red > 60 and red > 2 * green and red > 2 * blue


@pytest.mark.parametrize("env_id", ["s2robot/PickCube-v0", "s2robot/PickSmall-v0"])
@pytest.mark.parametrize("image_size", [(224, 224), (120, 200)])
def test_images_are_the_right_way_up_and_show_the_cube_at_reset(
    env_id: str, image_size: tuple[int, int]
) -> None:
    env = make(env_id, image_size=image_size)
    for seed in range(5):
        obs, _ = env.reset(seed=seed)
        row, column = pixel_of(env.unwrapped, "agentview", obs["object"][:3])
        image = obs["agentview_image"]
        assert is_red(image[row, column])
        red = np.argwhere([[is_red(p) for p in line] for line in image])
        assert np.abs(red.mean(axis=0) - [row, column]).max() < 2  # and nowhere else
    env.close()


def test_the_wrist_camera_sees_the_cube_under_the_gripper() -> None:
    env = make("s2robot/PickCube-v0", image_size=128)
    env.reset(seed=2)
    expert = envs.make_expert("s2robot/PickCube-v0")
    for _ in range(14):
        env.step(expert(env))
    task = env.unwrapped
    image = task.observe(("robot0_eye_in_hand",))["robot0_eye_in_hand_image"]
    assert is_red(image[pixel_of(task, "robot0_eye_in_hand", task.data.body("cube").xpos)])
    env.close()


def test_images_are_left_out_of_steps_and_observed_on_demand() -> None:
    env = make("s2robot/PickCube-v0")
    task = env.unwrapped
    full, _ = env.reset(seed=0)
    task.images_in_step = False
    obs, _ = env.reset(seed=0)
    assert not any(key.endswith("_image") for key in obs)
    assert env.observation_space.contains(obs)
    assert set(task.observe(("agentview",))) == {*obs, "agentview_image"}
    for key, value in task.observe().items():
        np.testing.assert_array_equal(value, full[key])
    task.images_in_step = True
    assert set(env.reset(seed=0)[0]) == set(full)
    env.close()


def test_cameras_are_those_asked_for() -> None:
    env = make("s2robot/PickCube-v0", cameras=("robot0_eye_in_hand",), render_mode="rgb_array")
    obs, _ = env.reset(seed=0)
    assert [key for key in obs if key.endswith("_image")] == ["robot0_eye_in_hand_image"]
    np.testing.assert_array_equal(env.render(), obs["robot0_eye_in_hand_image"])
    assert make("s2robot/PickCube-v0").unwrapped.camera_names == ("agentview", "robot0_eye_in_hand")
    assert make("s2robot/PickSmall-v0").unwrapped.camera_names == ("agentview",)
    env.close()


def test_the_id_with_the_module_needs_no_import() -> None:
    code = "import gymnasium; print(gymnasium.make('envs:s2robot/PickCube-v0').spec.max_episode_steps)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split()[-1] == "100"


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"cameras": ("sideview",)}, "unknown camera 'sideview'; known: agentview, robot0_eye_in_hand"),
        ({"image_size": 0}, "image_size is 0"),
        ({"image_size": 84.5}, "image_size is 84.5"),
        ({"image_size": (84, 84, 3)}, "image_size is"),
        ({"image_size": True}, "image_size is True"),
        ({"control_freq": 7}, "control_freq is 7; it must divide 500"),
        ({"control_freq": 0}, "control_freq is 0"),
        ({"control_freq": 12.5}, "control_freq is 12.5"),
        ({"cube_size": -0.01}, "cube_size is -0.01"),
        ({"cube_size": 0.09}, "cube_size is 0.09"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_arguments_are_refused_in_one_line(kwargs: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        make("s2robot/PickCube-v0", **kwargs)
    assert "\n" not in str(error.value)


def test_bad_actions_and_cameras_are_refused() -> None:
    env = make("s2robot/PickCube-v0", cameras=("agentview",))
    env.reset(seed=0)
    with pytest.raises(ValueError, match="7 finite numbers"):
        env.step(np.full(7, np.nan, np.float32))
    with pytest.raises(ValueError, match="7 finite numbers"):
        env.step(np.zeros(6, np.float32))
    with pytest.raises(ValueError, match="unknown camera 'robot0_eye_in_hand'; known: agentview"):
        env.unwrapped.observe(("robot0_eye_in_hand",))


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"did you mean 's2robot/PickCube-v0'\? known: "):
        envs.make_expert("s2robot/PickCubes-v0")
    assert envs.make_expert("envs:s2robot/PickCube-v0") is not None


def test_closed_environments_leave_no_rendering_context() -> None:
    def open_and_close() -> None:
        env = make("s2robot/PickCube-v0", image_size=256)
        env.reset(seed=0)
        env.close()
        env.unwrapped.close()  # closing twice is harmless

    for _ in range(5):
        open_and_close()
    before = psutil.Process().memory_info().rss
    for _ in range(20):
        open_and_close()
    assert psutil.Process().memory_info().rss - before < 20e6
