"""Lifts robosuite's cube: above it, aligned, down, close, up; from any pose of both."""

from typing import Any

import gymnasium
import numpy as np

from envs.grasp import nearest_yaw, yaw_of
from envs.servo import GAIN

STEP_M = 0.05  # an action of 1
STEP_RAD = 0.5
FASTEST = 0.5  # largest action in a direction
CLOSE_M = 0.012  # the grip point this near the cube's middle closes
KEEP_CLOSED_M = 0.025
HOVER_M = 0.08
LIFT_M = 0.10


class LiftExpert:
    """The action depends on the current state alone, so it corrects every disturbance."""

    def __init__(self, seed: int = 0) -> None:
        self._pace = float(np.random.default_rng(seed).uniform(0.9, 1.1))

    def __call__(self, env: gymnasium.Env[Any, Any]) -> np.ndarray:
        sim_env = env.unwrapped.sim_env  # type: ignore[attr-defined]
        robot, data = sim_env.robots[0], sim_env.sim.data
        site = robot.eef_site_id["right"]
        grip, grip_rotation = data.site_xpos[site], data.site_xmat[site].reshape(3, 3)
        cube, cube_rotation = data.body_xpos[sim_env.cube_body_id], data.body_xmat[sim_env.cube_body_id]
        fingers_m = sum(abs(data.qpos[i]) for i in robot._ref_gripper_joint_pos_indexes["right"])

        error = cube - grip
        aside, below = float(np.linalg.norm(error[:2])), abs(float(error[2]))
        closed = fingers_m < 0.06
        near = KEEP_CLOSED_M if closed else CLOSE_M
        closing = aside < near and below < near
        now = yaw_of(grip_rotation[:, 0])
        turn = nearest_yaw(yaw_of(cube_rotation.reshape(3, 3)[:, 0]), now, sides=4) - now
        if closing and sim_env._check_grasp(robot.gripper["right"], sim_env.cube):
            error, turn = np.array([0.0, 0.0, LIFT_M]), 0.0
        elif not closing:
            height = np.clip(4 * (aside - 0.008) + 0.1 * (abs(turn) - 0.15), 0.0, HOVER_M)
            error = error + np.array([0.0, 0.0, height])
        limit = FASTEST * self._pace
        move = np.clip(GAIN * error / STEP_M, -limit, limit)
        yaw = np.clip(GAIN * turn / STEP_RAD, -limit, limit)
        return np.array([*move, 0.0, 0.0, yaw, 1.0 if closing else -1.0], dtype=np.float32)
