"""A task and its expert: hold the gripper above a cube."""

from typing import Any

import gymnasium
import numpy as np

from envs.servo import towards
from envs.tasks.pick import Pick

HEIGHT_M = 0.06
TOLERANCE_M = 0.01


class Hover(Pick):
    """Hold the grip point 6 cm above a cube.

    ## Episode end
    Solved when the grip point is within 1 cm of the point 6 cm above the cube's centre.
    """

    def error_m(self) -> np.ndarray:
        """From the grip point to the goal, (3,) m."""
        goal = self.data.body("cube").xpos + np.array([0, 0, HEIGHT_M])
        return goal - self.panda.pose(self.data)[0]

    def is_success(self) -> bool:
        return float(np.linalg.norm(self.error_m())) < TOLERANCE_M

    def progress(self) -> float:
        return float(0.9 * (1 - np.tanh(5 * np.linalg.norm(self.error_m()))))


class HoverExpert:
    """Goes straight to the goal with the gripper open; `seed` draws its pace."""

    def __init__(self, seed: int = 0) -> None:
        self._pace = float(np.random.default_rng(seed).uniform(0.95, 1.05))

    def __call__(self, env: gymnasium.Env[Any, Any]) -> np.ndarray:
        task = env.unwrapped
        assert isinstance(task, Hover)
        return np.append(towards(task.error_m(), np.eye(3), self._pace), -1.0).astype(np.float32)
