"""Tasks that put a part where it belongs: when that counts, and an expert that corrects itself."""

from typing import Any

import numpy as np
import pytest

import envs
from envs.base import SUCCESS_STEPS
from envs.panda import POSITION_STEP_M
from envs.place_expert import LOWER_M, carry
from envs.placing import PlaceTask, upright
from envs.servo import GAIN
from tests.envs.suite_tools import blind, finish

IDS = sorted(env_id for env_id, task in envs.TASKS.items() if issubclass(task.env, PlaceTask))
EACH = pytest.mark.parametrize("env_id", IDS)
TIGHT = pytest.mark.parametrize(
    "env_id", [i for i, task in envs.TASKS.items() if issubclass(task.env, PlaceTask) and task.env.tight]
)


def run_until(env: Any, expert: Any, condition: Any) -> None:
    while not condition(env.unwrapped):
        assert not any(env.step(expert(env))[2:4])


def over_goal(task: Any) -> float:
    """How far the part is from its goal in the plane, m."""
    return float(np.linalg.norm((task.data.body("part").xpos - task.goal_pose()[0])[:2]))


def with_the_part_over_its_goal(env_id: str) -> tuple[Any, Any, Any]:
    """Environment, its task and the expert, who holds the part less than 5 mm beside its goal."""
    env, expert = blind(env_id), envs.make_expert(env_id)
    env.reset(seed=0)
    run_until(env, expert, lambda task: task.is_gripped() and over_goal(task) < 0.005)
    return env, env.unwrapped, expert


@EACH
def test_success_needs_the_part_let_go_for_five_steps(env_id: str) -> None:
    env = blind(env_id)
    task, expert = env.unwrapped, envs.make_expert(env_id)
    env.reset(seed=0)
    met, terminated = [], False
    while not terminated:
        *_, terminated, _, _ = env.step(expert(env))
        met.append(task.is_success())
        if task.is_gripped():
            assert not met[-1]
    assert met[-SUCCESS_STEPS - 1 :] == [False] + [True] * SUCCESS_STEPS


@EACH
def test_a_part_held_above_its_goal_is_not_placed(env_id: str) -> None:
    env = blind(env_id)
    task = env.unwrapped
    env.reset(seed=0)
    goal, _ = task.goal_pose()
    task.data.joint("part").qpos[:3] = goal + np.array([0, 0, 0.01])
    task.data.joint("part").qpos[3:] = task.goal_pose()[1]
    assert not task.is_placed()
    state = task.get_state()
    task.set_state(state)
    assert not task.is_placed() and not task.is_success()
    task.data.joint("part").qpos[:3] = goal
    task.set_state(task.get_state())
    assert task.is_placed() and task.is_success()


def test_the_expert_lowers_the_nut_gradually_as_it_comes_nearer() -> None:
    _, task, _ = with_the_part_over_its_goal("s2robot/ThreadNut-v0")
    part, (goal, quat) = task.data.body("part").xpos, task.goal_pose()

    def climb(off: float) -> float:
        task.goal_pose = lambda: (np.array([part[0] + off, part[1], goal[2]]), quat)
        return carry(task)[0][2]

    climbs = [climb(times * task.precision_m) for times in np.arange(0.0, 4.0, 0.05)]
    assert np.ptp(climbs) > 0.003
    assert np.abs(np.diff(climbs)).max() < 0.1 * np.ptp(climbs)  # a step there cannot be imitated


@TIGHT
def test_the_expert_lowers_slowly_what_has_little_room(env_id: str) -> None:
    env, task, expert = with_the_part_over_its_goal(env_id)
    lowered = []
    while not task.is_placed(task.drop_m):
        lowered.append(-expert(env)[2])
        env.step(expert(env))
    # Whoever decides once in a few steps is still above the hole when it sees how it comes down.
    assert max(lowered) == pytest.approx(GAIN * LOWER_M / POSITION_STEP_M) and len(lowered) > 5


@TIGHT
def test_the_expert_draws_out_what_is_jammed_and_no_other(env_id: str) -> None:
    _, task, _ = with_the_part_over_its_goal(env_id)
    part, quat = task.data.body("part").xpos, task.goal_pose()[1]
    halfway = part[2] - task.entry_m / 2

    def climb(off: float) -> float:
        task.goal_pose = lambda: (np.array([part[0] + off, part[1], halfway]), quat)
        return carry(task)[0][2]

    assert climb(3 * task.precision_m) > 0.005
    assert climb(0.5 * task.precision_m) < 0.0


@EACH
def test_the_expert_picks_up_again_what_slipped_before_it_was_carried(env_id: str) -> None:
    env = blind(env_id)
    expert = envs.make_expert(env_id)
    env.reset(seed=9)
    start = env.unwrapped.object_state()[2]
    run_until(env, expert, lambda task: task.is_gripped() and task.object_state()[2] > start + 0.004)
    for _ in range(6):
        env.step(np.array([0, 0, 0, 0, 0, 0, -1], np.float32))
    assert not env.unwrapped.is_gripped()
    assert finish(env, expert)[1]


@EACH
def test_a_restored_state_looks_the_same_in_another_environment(env_id: str) -> None:
    first, second = blind(env_id), blind(env_id)
    looks = set()
    for seed in range(4):
        first.reset(seed=seed)
        second.reset(seed=seed + 100)
        second.unwrapped.set_state(first.unwrapped.get_state())
        image = first.unwrapped.observe()["agentview_image"]
        np.testing.assert_array_equal(second.unwrapped.observe()["agentview_image"], image)
        looks.add(tuple(first.unwrapped.model.geom_rgba.ravel()))
    assert len(looks) == 4
    first.close()
    second.close()


@EACH
def test_goals_and_parts_start_apart_and_differ_between_episodes(env_id: str) -> None:
    env = blind(env_id)
    starts = np.array([env.reset(seed=seed)[0]["object"] for seed in range(50)])
    parts, goals = starts[:, :3], starts[:, 10:13]
    assert (np.linalg.norm((parts - goals)[:, :2], axis=1) > 0.05).all()
    assert (np.ptp(parts[:, :2], axis=0) > 0.08).all() and np.ptp(goals[:, 1]) > 0.03


def test_only_the_slot_of_the_parts_colour_counts() -> None:
    env = blind("s2robot/PlaceByColour-v0")
    task = env.unwrapped
    right = set()
    for seed in range(30):
        env.reset(seed=seed)
        up = task.goal_pose()[0] - task.data.body(task.slot()).xpos
        for slot in task.fixtures:
            task.data.joint("part").qpos[:3] = task.data.body(slot).xpos + up
            task.set_state(task.get_state())
            assert task.is_success() == (slot == task.slot())
        colour, floor = task.model.geom("part").rgba[:3], task.model.geom(task.slot()).rgba[:3]
        assert np.abs(colour - floor).max() < 0.13
        right.add(task.slot())
    assert right == set(task.fixtures)


@pytest.mark.parametrize(
    ("env_id", "argument"),
    [("s2robot/StackCube-v0", "cube_size"), ("s2robot/PlaceByColour-v0", "part_size")],
)
def test_difficulty_is_an_argument_with_limits(env_id: str, argument: Any) -> None:
    env = blind(env_id, **{argument: 0.02})
    env.reset(seed=0)
    assert env.unwrapped.object_state()[2] == pytest.approx(0.01)
    assert finish(env, envs.make_expert(env_id))[1]
    with pytest.raises(ValueError, match=f"{argument} is 0.2; it must be") as error:
        blind(env_id, **{argument: 0.2})
    assert "\n" not in str(error.value)


def test_a_peg_that_is_turned_or_off_stays_on_the_board() -> None:
    env = blind("s2robot/PegInsertion-v0")
    task = env.unwrapped
    env.reset(seed=0)
    goal, _ = task.goal_pose()
    hole_yaw = 2 * np.arctan2(task.goal_pose()[1][3], task.goal_pose()[1][0])
    for off, turn, fits in [(0.0, 0.0, True), (0.004, 0.0, False), (0.0, np.radians(12), False)]:
        task.data.joint("part").qvel[:] = 0
        start = upright([goal[0] + off, goal[1], goal[2] + task.entry_m + 0.002], hole_yaw + turn)
        task.data.joint("part").qpos[:] = start
        task.set_state(task.get_state())
        for _ in range(10):
            task.step(np.zeros(7, np.float32))
        assert task.is_success() == fits
        assert (task.data.body("part").xpos[2] > goal[2] + 0.8 * task.entry_m) != fits
        assert (task.data.contact.dist > -1e-3).all()


@pytest.mark.parametrize(
    ("env_id", "clearance"),
    [
        ("s2robot/PegInsertion-v0", 0.001),
        ("s2robot/PegInsertion-v0", 0.004),
        ("s2robot/ThreadNut-v0", 0.002),
        ("s2robot/ThreadNut-v0", 0.010),
    ],
)
def test_the_expert_copes_with_other_clearances(env_id: str, clearance: Any) -> None:
    env = blind(env_id, clearance=clearance)
    for seed in range(3):
        env.reset(seed=seed)
        assert finish(env, envs.make_expert(env_id, seed))[1]
    with pytest.raises(ValueError, match="clearance is 0; it must be"):
        blind(env_id, clearance=0)


def test_a_nut_beside_or_on_top_of_the_peg_is_not_placed() -> None:
    env = blind("s2robot/ThreadNut-v0")
    task = env.unwrapped
    env.reset(seed=0)
    goal, _ = task.goal_pose()
    for off, fits in [
        ((0, 0, 0.004), True),
        ((0.006, 0, task.entry_m + 0.001), False),
        ((0.05, 0, 0), False),
    ]:
        task.data.joint("part").qvel[:] = 0
        task.data.joint("part").qpos[:] = upright(goal + np.array(off), 0.3)
        task.set_state(task.get_state())
        for _ in range(10):
            task.step(np.zeros(7, np.float32))
        assert task.is_success() == fits
        assert (task.data.contact.dist > -1e-3).all()
