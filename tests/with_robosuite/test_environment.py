"""robosuite's tasks keep the contract of our own: spaces, seeds, states, images the right way up."""

from typing import Any

import gymnasium
import numpy as np
import pytest
import robosuite
from gymnasium.utils.env_checker import check_env

import envs
from envs.robosuite import TASKS, environment_of, to_env_args

LIFT = "s2robot/robosuite-Lift-v0"
FLAT = {  # as robomimic's datasets of robosuite 1.2 to 1.4 have it
    "type": "OSC_POSE",
    "input_max": 1,
    "input_min": -1,
    "output_max": [0.05, 0.05, 0.05, 0.5, 0.5, 0.5],
    "output_min": [-0.05, -0.05, -0.05, -0.5, -0.5, -0.5],
    "kp": 150,
    "damping": 1,
    "impedance_mode": "fixed",
    "kp_limits": [0, 300],
    "damping_limits": [0, 10],
    "position_limits": None,
    "orientation_limits": None,
    "uncouple_pos_ori": True,
    "control_delta": True,
    "interpolation": None,
    "ramp_ratio": 0.2,
}
ALL = pytest.mark.parametrize("env_id", sorted(TASKS))


def make(env_id: str, **kwargs: Any) -> Any:
    return gymnasium.make(env_id, disable_env_checker=True, **{"image_size": 48, **kwargs})


def same(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key], err_msg=key)


@ALL
def test_gymnasium_accepts_it(env_id: str) -> None:
    env = make(env_id)
    check_env(env.unwrapped, skip_render_check=True)
    assert {"robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos", "object"} <= set(
        env.observation_space
    )
    env.close()


@ALL
def test_a_seed_is_an_episode(env_id: str) -> None:
    """In two environments, one of which has played something else before."""
    first, second = make(env_id), make(env_id)
    second.reset(seed=9)
    second.step(second.action_space.sample())
    same(first.reset(seed=4)[0], second.reset(seed=4)[0])
    rng = np.random.default_rng(0)
    for _ in range(4):
        action = rng.uniform(-1, 1, 7)
        same(first.step(action)[0], second.step(action)[0])
    assert not np.array_equal(first.reset(seed=5)[0]["object"], second.reset(seed=4)[0]["object"])


def test_going_back_to_a_state_is_exact() -> None:
    env = make(LIFT)
    expert = envs.make_expert(LIFT)
    env.reset(seed=0)
    for _ in range(20):
        env.step(expert(env))
    state = env.unwrapped.get_state()
    actions = np.random.default_rng(1).uniform(-1, 1, (6, 7))
    before = [env.step(action)[0] for action in actions]
    env.unwrapped.set_state(state)
    np.testing.assert_array_equal(env.unwrapped.get_state(), state)
    for action, seen in zip(actions, before, strict=True):
        same(env.step(action)[0], seen)
    with pytest.raises(ValueError, match="state has shape"):
        env.unwrapped.set_state(state[:-2])


@pytest.mark.parametrize("size", [(48, 48), (60, 100)])
def test_frames_are_robosuites_own_the_right_way_up(size: tuple[int, int]) -> None:
    """With its shadows and samples they are equal; it returns the lowest row first."""
    env = make(LIFT, image_size=size, shadows=True, samples=4)
    env.reset(seed=1)
    ours = env.unwrapped.observe(("agentview",))["agentview_image"]
    theirs_env = robosuite.make(
        "Lift",
        **{
            **env.unwrapped.env_kwargs,
            "has_offscreen_renderer": True,
            "use_camera_obs": True,
            "camera_names": "agentview",
            "camera_heights": size[0],
            "camera_widths": size[1],
        },
    )
    theirs_env.reset()
    theirs_env.reset_from_xml_string(env.unwrapped.model_xml())
    theirs_env.sim.set_state_from_flattened(env.unwrapped.stored_state())
    theirs_env.sim.forward()
    theirs = theirs_env._get_observations(force_update=True)["agentview_image"][::-1]
    theirs_env.close()
    assert ours.shape == theirs.shape == (*size, 3)
    difference = np.abs(ours.astype(int) - theirs)
    assert difference.mean() < 1.0
    assert np.abs(ours[::-1].astype(int) - theirs).mean() > 10


def test_images_only_when_asked_for() -> None:
    env = make(LIFT, cameras=("frontview",))
    task: Any = env.unwrapped
    task.images_in_step = False
    obs, _ = env.reset(seed=0)
    assert not any(key.endswith("_image") for key in obs)
    assert env.unwrapped.observe(("frontview",))["frontview_image"].shape == (48, 48, 3)
    with pytest.raises(ValueError, match="unknown camera 'agentview'"):
        env.unwrapped.observe(("agentview",))


@pytest.mark.parametrize("config", [FLAT, None])
def test_built_from_a_datasets_env_args(config: Any) -> None:
    kwargs = {"robots": ["Panda"], "camera_names": ["agentview"], "camera_heights": 84, "camera_widths": 84}
    kwargs |= {"control_freq": 20, "reward_shaping": False, "camera_depths": False, "has_renderer": False}
    if config:
        kwargs["controller_configs"] = config
    env_id, ours = environment_of({"env_name": "Lift", "type": 1, "env_kwargs": kwargs})
    assert env_id == LIFT
    assert (ours["image_size"], ours["cameras"]) == ([84, 84], ["agentview"])
    assert (ours["shadows"], ours["samples"]) == (True, 4)  # robosuite's own look
    env = gymnasium.make(env_id, **ours)
    expert = envs.make_expert(LIFT)
    env.reset(seed=0)
    task: Any = env.unwrapped
    task.images_in_step = False
    success = False
    for _ in range(100):
        *_, success, _, _ = env.step(expert(env))
        if success:
            break
    assert success


def test_env_args_there_and_back() -> None:
    kwargs = {"image_size": [48, 64], "cameras": ["agentview"], "control_freq": 20, "reward_type": "dense"}
    kwargs |= {"shadows": False, "samples": 2, "env_kwargs": {"robots": "Panda"}}
    assert environment_of(to_env_args(LIFT, kwargs)) == (LIFT, kwargs)


def test_expert_lifts() -> None:
    env, solved = make(LIFT), 0
    task: Any = env.unwrapped
    task.images_in_step = False
    for seed in range(50):
        expert = envs.make_expert(LIFT, seed)
        env.reset(seed=seed)
        for _ in range(120):
            *_, success, _, _ = env.step(expert(env))
            if success:
                solved += 1
                break
    assert solved >= 45
