"""The scripted expert of every task that places a part at its goal."""

from typing import Any

import gymnasium
import numpy as np

from envs.grasp import angle_of, approach, nearest_yaw, yaw_of
from envs.panda import rotation_matrix
from envs.placing import HEIGHT_TOLERANCE_M, PlaceTask, matrix_of
from envs.servo import towards

MARGIN_M = 0.004  # between the part and what it passes over
CARRY_M = 0.03  # higher than that on the way
LEAVE_M = 0.08
TIGHT_MARGIN_M = 0.010  # with little room
NEAR_M = 0.012  # of its goal, sideways, a part with little room is moved steadily:
LOWER_M = 0.008  # down as if this much were missing at most (a step covers half of it),
STEADY = 2.0  # and sideways by so many times the usual share of what is missing
TURN_M = 0.02  # a turn of one radian counts as being off by so much
ASIDE = 1.75  # plus the funnel, times the precision: from there on rise before going sideways

UP = np.array([0.0, 0.0, 1.0])


class PlaceExpert:
    """Grasps the part, carries it over its goal, lowers and releases it, leaves; from any pose of both.

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
        if task.is_placed(task.drop_m if held else HEIGHT_TOLERANCE_M):
            gap = task.panda.finger_qpos(task.data).mean() - part.half_width_m
            error = np.array([0.0, 0.0, LEAVE_M * np.clip(gap / 0.005 - 1, 0.0, 1.0)])
            return self._action(error, np.eye(3), gripper=-1.0)
        if held:
            error, turn = carry(task)
        return self._action(error, turn, gripper=1.0 if closing or held else -1.0)

    def _action(self, error_m: np.ndarray, turn: np.ndarray, gripper: float) -> np.ndarray:
        return np.append(towards(error_m, turn, self._pace), gripper).astype(np.float32)


def carry(task: PlaceTask) -> tuple[np.ndarray, np.ndarray]:
    """Where to move the part that is held, (3,) m, and how to turn the gripper, (3, 3)."""
    goal, goal_wxyz = task.goal_pose()
    error = goal - task.data.body("part").xpos
    off, above_entry = float(np.linalg.norm(error[:2])), -error[2] - task.entry_m

    gripper, part = task.panda.pose(task.data)[1], task.data.body("part").xmat.reshape(3, 3)
    axis = int(np.abs(part[2]).argmax())  # the part may stand on any of its sides
    turn = _onto(np.sign(part[2, axis]) * part[:, axis], UP)
    misaligned = off
    if task.goal_sides is not None:
        now, on_part = yaw_of(gripper[:, 0]), yaw_of(part[:, (axis + 1) % 3])
        # Of the yaws that fit the nearest to home's, far from the limits of the last joint.
        wanted = nearest_yaw(now + yaw_of(matrix_of(goal_wxyz)[:, 0]) - on_part, 0.0, task.goal_sides)
        turn = rotation_matrix((wanted - now) * UP) @ turn
        misaligned = max(off, TURN_M * angle_of(turn))
    misalignment = misaligned / task.precision_m
    if above_entry < -HEIGHT_TOLERANCE_M and not task.tight:
        misalignment /= 4  # inside, the walls align; with little room it is jammed, and drawn out again
    above = task.entry_m + (TIGHT_MARGIN_M if task.tight else MARGIN_M)
    height = above * np.clip((misalignment - 1) / task.funnel, 0.0, 1.0)
    error[2] += height + np.clip(2 * (off - 0.01), 0.0, CARRY_M)
    if task.tight and off < NEAR_M:
        error[:2] *= STEADY
        error[2] = max(error[2], -LOWER_M)
    else:
        error[:2] *= np.clip(max(above_entry / MARGIN_M, ASIDE + task.funnel - misalignment), 0.0, 1.0)
    return error, turn


def _onto(axis: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The shortest turn, (3, 3), of one unit vector onto another that is not opposite."""
    cross = np.cross(axis, wanted)
    sine = float(np.linalg.norm(cross))
    return rotation_matrix(cross * (np.arctan2(sine, axis @ wanted) / max(sine, 1e-9)))
