"""What the suite promises of every task: solvable, plausible, documented, with a reward that leads there."""

import inspect
import re
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box

import envs
from envs.base import TabletopEnv
from envs.placing import PlaceTask
from tests.envs.suite_tools import ALL, HOLDING, blind, finish, make

SEEDS = range(2000, 2004)
MAX_OVERLAP_M = 1e-3


@ALL
def test_the_expert_solves_it_without_overlap_of_bodies(env_id: str) -> None:
    env = blind(env_id)
    for seed in SEEDS:
        env.reset(seed=seed)
        expert, done, info = envs.make_expert(env_id, seed=seed), False, {}
        while not done:
            *_, terminated, truncated, info = env.step(expert(env))
            done = terminated or truncated
            assert (env.unwrapped.data.contact.dist > -MAX_OVERLAP_M).all()
        assert info["success"], seed
    env.close()


@ALL
def test_the_expert_looks_only_at_the_current_state(env_id: str) -> None:
    env = blind(env_id)
    expert = envs.make_expert(env_id, seed=1)
    env.reset(seed=6)
    for _ in range(30):
        action = expert(env)
        assert action.dtype == np.float32 and env.action_space.contains(action)
        assert np.abs(action[:3]).max() < 0.35
        np.testing.assert_array_equal(action, envs.make_expert(env_id, seed=1)(env))
        env.step(action)


@ALL
@pytest.mark.parametrize("when", [8, 18, 24, 30])
def test_the_expert_comes_back_after_a_push(env_id: str, when: int) -> None:
    env = blind(env_id)
    expert = envs.make_expert(env_id)
    rng = np.random.default_rng(when)
    env.reset(seed=11)
    for _ in range(when):
        assert not env.step(expert(env))[2]
    push = np.append(rng.uniform(-0.5, 0.5, 2), [0.3, 0, 0, 0, 0]).astype(np.float32)
    for _ in range(5):
        env.step(push)
    assert finish(env, expert)[1]


@ALL
def test_the_start_is_at_rest_and_nothing_overlaps(env_id: str) -> None:
    env = blind(env_id)
    task = env.unwrapped
    for seed in range(20):
        env.reset(seed=seed)
        start = task.object_state()[:3]
        assert (task.data.contact.dist > -1e-4).all()
        for _ in range(3):
            env.step(np.zeros(7, np.float32))
        np.testing.assert_allclose(task.object_state()[:3], start, atol=5e-4)


@ALL
def test_the_dense_reward_rises_to_one_and_the_sparse_one_says_only_success(env_id: str) -> None:
    dense, sparse = blind(env_id, reward_type="dense"), blind(env_id)
    expert = envs.make_expert(env_id)
    dense.reset(seed=1)
    sparse.reset(seed=1)
    rewards, terminated = [], False
    while not terminated:
        action = expert(dense)
        _, reward, terminated, _, info = dense.step(action)
        assert sparse.step(action)[1] == float(info["success"])
        rewards.append(reward)
    assert all(0.0 <= reward <= 0.9 for reward in rewards[:-1]) and rewards[-1] == 1.0
    quarters = [np.mean(part) for part in np.array_split(rewards, 4)]
    assert quarters == sorted(quarters)


def test_an_unknown_reward_type_is_refused() -> None:
    with pytest.raises(ValueError, match="reward_type is 'shaped'; it must be 'sparse' or 'dense'"):
        make("s2robot/PickCube-v0", reward_type="shaped")


TABLE_ROW = re.compile(r"^\| `(\w+)` +\| (\(.*?\)) ", re.MULTILINE)


@ALL
def test_documented_spaces_are_the_real_ones(env_id: str) -> None:
    doc = envs.TASKS[env_id].env.__doc__ or ""
    for title in (
        *("Description", "Action space", "Observation space", "Reward", "Starting state", "Episode end"),
        "Arguments",
    ):
        assert doc.count(f"\n## {title}\n") == 1
    env = make(env_id, image_size=(48, 64), wrist_camera=True)
    spaces = env.observation_space.spaces
    documented = dict(TABLE_ROW.findall(doc))
    assert {key: str(space.shape) for key, space in spaces.items()} == {
        key: shape.replace("h, w", "48, 64") for key, shape in documented.items()
    }
    for key, space in spaces.items():
        assert space.dtype == (np.uint8 if key.endswith("_image") else np.float64)
    assert env.action_space == Box(-1, 1, (7,), np.float32) and "`Box(-1, 1, (7,), float32)`" in doc
    arguments = inspect.signature(envs.TASKS[env_id].env).parameters.keys() - {"kwargs"}
    arguments |= inspect.signature(TabletopEnv).parameters.keys()
    assert set(re.findall(r"^- `(\w+)` \(", doc, re.MULTILINE)) == arguments


@ALL
def test_what_is_thrown_does_not_pass_through_the_table(env_id: str) -> None:
    env = blind(env_id)
    task = env.unwrapped
    joint = "part" if issubclass(type(task), PlaceTask) else "cube"
    for xy in ([0.5, 0.0], [0.4, 0.2], [0.6, -0.25]):
        env.reset(seed=0)
        task.data.joint(joint).qpos[:3] = [*xy, 0.35]
        task.data.joint(joint).qvel[:] = [0, 0, -4, 3, 2, 0]  # 4 m/s downwards, tumbling
        task.set_state(task.get_state())
        for _ in range(15):
            env.step(np.zeros(7, np.float32))
            assert (task.data.xpos[1:, 2] > -1e-3).all()
        assert np.abs(task.data.joint(joint).qvel[:3]).max() < 0.1


@HOLDING
def test_what_is_held_does_not_slip_or_turn_in_the_hand(env_id: str) -> None:
    env = blind(env_id)
    task, expert = env.unwrapped, envs.make_expert(env_id)
    assert task.model.neq == 1  # the fingers' gear; nothing welds what is held
    env.reset(seed=5)
    on_the_table = task.object_state()[2]
    while not (task.is_gripped() and task.object_state()[2] > on_the_table + 0.02):
        assert not any(env.step(expert(env))[2:4])
    start = in_hand(task)
    for step in range(60):
        shake = 0.3 if step % 4 < 2 else -0.3
        task.step(np.array([shake, 0, 0.1, 0, 0, shake, 1], np.float32))
        assert task.is_gripped() and (task.data.contact.dist > -MAX_OVERLAP_M).all()
    assert np.linalg.norm(in_hand(task) - start) < 2e-3


def in_hand(task: Any) -> np.ndarray:
    position, rotation = task.panda.pose(task.data)
    return rotation.T @ (task.object_state()[:3] - position)


@HOLDING
def test_nothing_is_lifted_without_friction(env_id: str) -> None:
    env = blind(env_id)
    task, expert = env.unwrapped, envs.make_expert(env_id)
    task.model.geom_friction[:] = 0
    env.reset(seed=3)
    start, gripped = task.object_state()[2], False
    for _ in range(60):
        env.step(expert(env))
        gripped |= task.is_gripped()
        assert task.object_state()[2] < start + 0.01
    assert gripped
