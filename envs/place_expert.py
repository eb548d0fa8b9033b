"""The scripted expert of every task that puts a part where it belongs."""

from typing import Any

import gymnasium
import numpy as np

from envs.grasp import approach, nearest_yaw
from envs.placing import HEIGHT_TOLERANCE_M, PlaceTask, matrix_of
from envs.servo import pointing_down, towards

LETS_GO_M = 0.0015  # from how low above the goal
ROOM_M = 0.005  # between the part and what it passes over
CARRY_M = 0.03  # higher than that on the way
LEAVE_M = 0.08
PRECISION_RAD = 0.03


class PlaceExpert:
    """Takes the part, carries it over its goal, lowers it, lets go, leaves; from wherever arm and part are.

    The action depends on the current state alone. How high the part is carried follows from how far it
    still is from being aligned: a funnel above the goal.
    """

    def __init__(self, seed: int = 0) -> None:
        self._pace = float(np.random.default_rng(seed).uniform(0.95, 1.05))

    def __call__(self, env: gymnasium.Env[Any, Any]) -> np.ndarray:
        task = env.unwrapped
        assert isinstance(task, PlaceTask)
        part, held = task.part(), task.is_gripped()
        closing, error, turn = approach(task.panda, task.data, part)
        if task.is_placed(LETS_GO_M if held else HEIGHT_TOLERANCE_M):
            room = task.panda.finger_qpos(task.data).mean() - part.half_width_m
            error = np.array([0.0, 0.0, LEAVE_M * np.clip(room / 0.005 - 1, 0.0, 1.0)])
            return self._action(error, np.eye(3), gripper=-1.0)
        if closing and held:
            error, turn = carry(task)
        return self._action(error, turn, gripper=1.0 if closing else -1.0)

    def _action(self, error_m: np.ndarray, turn: np.ndarray, gripper: float) -> np.ndarray:
        return np.append(towards(error_m, turn, self._pace), gripper).astype(np.float32)


def carry(task: PlaceTask) -> tuple[np.ndarray, np.ndarray]:
    """Where to move the part that is held, (3,) m, and how to turn the gripper, (3, 3)."""
    goal, goal_wxyz = task.goal_pose()
    error = goal - task.data.body("part").xpos
    off, above_entry = float(np.linalg.norm(error[:2])), -error[2] - task.entry_m

    rotation = task.panda.pose(task.data)[1]
    yaw = wanted = _yaw(rotation)
    if task.goal_sides is not None:
        part_yaw = _yaw(task.data.body("part").xmat.reshape(3, 3))
        # Of the yaws that fit the nearest to home's, far from the limits of the last joint.
        wanted = nearest_yaw(yaw + _yaw(matrix_of(goal_wxyz)) - part_yaw, 0.0, task.goal_sides)

    misalignment = max(off / task.precision_m, abs(wanted - yaw) / PRECISION_RAD)
    if above_entry < -HEIGHT_TOLERANCE_M:
        misalignment /= 4  # inside, the walls align
    height = np.clip(misalignment - 1, 0.0, 1.0) * (task.entry_m + ROOM_M)
    error[2] += height + np.clip(2 * (off - 0.01), 0.0, CARRY_M)
    error[:2] *= np.clip(max(above_entry / 0.015, 2 - misalignment), 0.0, 1.0)
    return error, pointing_down(wanted) @ rotation.T


def _yaw(rotation: np.ndarray) -> float:
    return float(np.arctan2(rotation[1, 0], rotation[0, 0]))
