"""The arm against its data sheet, and the action table against what the arm does."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest

import envs  # noqa: F401
from envs.panda import GRIP_LEASH_M, HOME_QPOS, rotation_vector

# Franka Control Interface documentation: Denavit-Hartenberg parameters (Craig), joint limits.
A = [0, 0, 0, 0.0825, -0.0825, 0, 0.088]
D = [0.333, 0, 0.316, 0, 0.384, 0, 0]
ALPHA = np.array([0, -1, 1, 1, -1, 1, 1]) * np.pi / 2
LOW = [-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973]
HIGH = [2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973]
FLANGE_TO_GRIP_M = 0.107 + 0.1034  # flange, then the hand's published tool centre point
HAND_YAW = -np.pi / 4


@pytest.fixture
def env() -> Iterator[Any]:
    env = gymnasium.make("s2robot/PickCube-v0", image_size=32, disable_env_checker=True)
    task: Any = env.unwrapped
    task.images_in_step = False
    env.reset(seed=0)
    put_cube_aside(env)
    yield env
    env.close()


def put_cube_aside(env: Any) -> None:
    env.unwrapped.data.joint("cube").qpos[:2] = [0.2, 0.5]


def rotation(axis: Any, angle: float) -> np.ndarray:
    quat, matrix = np.empty(4), np.empty(9)
    mujoco.mju_axisAngle2Quat(quat, np.array(axis, float), angle)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix.reshape(3, 3)


def denavit_hartenberg(q: Any) -> tuple[np.ndarray, np.ndarray]:
    position, orientation = np.zeros(3), np.eye(3)
    for a, d, alpha, angle in zip(A, D, ALPHA, q, strict=True):
        position = position + orientation @ [a, 0, 0]
        orientation = orientation @ rotation([1, 0, 0], alpha)
        position = position + orientation @ [0, 0, d]
        orientation = orientation @ rotation([0, 0, 1], angle)
    position = position + orientation @ [0, 0, FLANGE_TO_GRIP_M]
    return position, orientation @ rotation([0, 0, 1], HAND_YAW)


def test_kinematics_are_the_published_ones(env: Any) -> None:
    task = env.unwrapped
    rng = np.random.default_rng(0)
    for q in rng.uniform(LOW, HIGH, (20, 7)):
        task.panda.reset(task.data, q)
        mujoco.mj_forward(task.model, task.data)
        position, orientation = task.panda.pose(task.data)
        want_position, want_orientation = denavit_hartenberg(q)
        np.testing.assert_allclose(position, want_position, atol=1e-6)
        np.testing.assert_allclose(orientation, want_orientation, atol=1e-6)


def test_joint_limits_are_the_published_ones(env: Any) -> None:
    ranges = np.array([env.unwrapped.model.joint(f"joint{i}").range for i in range(1, 8)])
    np.testing.assert_array_equal(ranges, np.stack([LOW, HIGH], axis=1))


def test_home_is_above_the_table_and_points_down() -> None:
    position, orientation = denavit_hartenberg(HOME_QPOS)
    np.testing.assert_allclose(position, [0.45, 0, 0.25], atol=1e-3)
    np.testing.assert_allclose(orientation, np.diag([1, -1, -1]), atol=1e-3)


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("sign", [-1, 1])
def test_an_action_moves_by_what_the_table_says(env: Any, index: int, sign: int) -> None:
    task = env.unwrapped
    action = np.zeros(7, np.float32)
    action[index] = 0.6 * sign
    env.step(0 * action)
    start, start_rotation = task.panda.pose(task.data)
    for _ in range(2):
        env.step(action)
    env.step(0 * action)  # comes to rest
    moved, turned = task.panda.pose(task.data)
    got = np.concatenate([moved - start, rotation_vector(turned @ start_rotation.T)])
    want = np.zeros(6)
    want[index] = sign * 2 * 0.6 * (0.05 if index < 3 else 0.5)
    np.testing.assert_allclose(got[:3], want[:3], atol=0.004)
    np.testing.assert_allclose(got[3:], want[3:], atol=0.05)


def test_an_action_of_one_moves_five_centimetres_within_its_step(env: Any) -> None:
    task = env.unwrapped
    start, _ = task.panda.pose(task.data)
    env.step(np.array([0, 1, 0, 0, 0, 0, 0], np.float32))
    np.testing.assert_allclose(task.panda.pose(task.data)[0] - start, [0, 0.05, 0], atol=0.004)


@pytest.mark.parametrize("control_freq", [5, 10, 20, 50])
def test_the_step_length_does_not_depend_on_the_control_frequency(control_freq: int) -> None:
    env = gymnasium.make("s2robot/PickCube-v0", control_freq=control_freq, disable_env_checker=True)
    task: Any = env.unwrapped
    task.images_in_step = False
    env.reset(seed=0)
    put_cube_aside(env)
    start, _ = task.panda.pose(task.data)
    for _ in range(5):
        env.step(np.array([0, 0.1, 0, 0, 0, 0, 0], np.float32))
    for _ in range(5):
        env.step(np.zeros(7, np.float32))
    np.testing.assert_allclose(task.panda.pose(task.data)[0] - start, [0, 0.025, 0], atol=0.002)
    assert task.data.time == pytest.approx(10 / control_freq)
    assert task.metadata["render_fps"] == control_freq


def test_actions_out_of_range_are_clipped(env: Any) -> None:
    task = env.unwrapped
    state = task.get_state()
    env.step(np.full(7, 4.0, np.float32))
    clipped = task.get_state()
    task.set_state(state)
    env.step(np.ones(7, np.float32))
    np.testing.assert_array_equal(clipped, task.get_state())


def test_the_arm_holds_still_without_action(env: Any) -> None:
    task = env.unwrapped
    start, _ = task.panda.pose(task.data)
    for _ in range(20):
        env.step(np.zeros(7, np.float32))
    np.testing.assert_allclose(task.panda.pose(task.data)[0], start, atol=2e-4)


def test_a_blocked_arm_answers_at_once_when_it_turns_back(env: Any) -> None:
    task = env.unwrapped
    for _ in range(20):
        env.step(np.array([0, 0, -1, 0, 0, 0, 0], np.float32))  # 1 m down; the table is 25 cm away
    low, _ = task.panda.pose(task.data)
    assert 0.008 < low[2] < 0.02
    env.step(np.array([0, 0, 1, 0, 0, 0, 0], np.float32))
    assert task.panda.pose(task.data)[0][2] - low[2] > 0.04


def test_the_gripper_opens_and_closes_at_its_speed_and_does_not_wind_up(env: Any) -> None:
    task = env.unwrapped
    close, open_ = np.zeros(7, np.float32), np.zeros(7, np.float32)
    close[6], open_[6] = 1, -1
    for _ in range(4):
        env.step(close)
    np.testing.assert_allclose(task.panda.finger_qpos(task.data), 0.04 - 4 * 0.005, atol=0.001)
    for _ in range(30):
        env.step(close)
    np.testing.assert_allclose(task.panda.finger_qpos(task.data), 0, atol=5e-4)
    assert task.panda.target[7] >= -GRIP_LEASH_M - 1e-3
    for _ in range(4):
        env.step(open_)
    assert (task.panda.finger_qpos(task.data) > 0.005).all()
    still = task.panda.finger_qpos(task.data)
    for _ in range(3):
        env.step(np.zeros(7, np.float32))
    np.testing.assert_allclose(task.panda.finger_qpos(task.data), still, atol=5.1e-3)


def test_the_quaternion_is_xyzw_and_does_not_jump(env: Any) -> None:
    task = env.unwrapped
    action = np.array([0, 0, 0, 0, 0, 0.2, 0], np.float32)
    last = env.step(action)[0]["robot0_eef_quat"]
    for step in range(24):  # 1.2 rad to one side, back, and to the other
        action[5] = 0.2 if step < 12 else -0.2
        quat = env.step(action)[0]["robot0_eef_quat"]
        matrix = np.empty(9)
        mujoco.mju_quat2Mat(matrix, np.roll(quat, 1))
        np.testing.assert_allclose(matrix.reshape(3, 3), task.panda.pose(task.data)[1], atol=1e-9)
        assert np.linalg.norm(quat - last) < 0.1
        last = quat


@pytest.mark.parametrize("direction", [(1, 0, 1), (1, 1, 0), (1, 1, 1), (-1, -1, 0.5)])
def test_at_the_edge_of_reach_the_arm_stands_still_and_comes_back(env: Any, direction: Any) -> None:
    task = env.unwrapped
    out = np.array([*direction, 0, 0, 0, 0], np.float32)
    for _ in range(30):
        env.step(out)
    edge, orientation = task.panda.pose(task.data)
    for _ in range(5):
        env.step(out)
        position, now = task.panda.pose(task.data)
        np.testing.assert_allclose(position, edge, atol=2e-3)
        np.testing.assert_allclose(now, orientation, atol=0.02)
    for _ in range(3):
        env.step(-out)
    assert np.linalg.norm(task.panda.pose(task.data)[0] - edge) > 0.08
