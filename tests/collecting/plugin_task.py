"""A task of somebody else: a dot is moved to the right, without MuJoCo; its expert knows the way."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict

import envs


class Dot(gymnasium.Env):
    metadata = {"render_modes": [], "render_fps": 5}  # noqa: RUF012
    observation_space = Dict(
        {"pos": Box(-2, 2, (2,), np.float64), "agentview_image": Box(0, 255, (8, 12, 3), np.uint8)}
    )
    action_space = Box(-2, 2, (2,), np.float32)

    def __init__(self, goal: float = 0.8) -> None:
        self.goal = goal

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple:
        super().reset(seed=seed)
        self.pos = self.np_random.uniform(-1, 0, 2)
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple:
        self.pos = np.clip(self.pos + 0.1 * action, -2, 2)
        success = np.array([self.pos[0] > self.goal])
        return self._observe(), 0.0, bool(success[0]), False, {"is_success": success}

    def _observe(self) -> dict[str, np.ndarray]:
        return {"pos": self.pos, "agentview_image": np.full((8, 12, 3), 50 * (self.pos[0] + 2), np.uint8)}


def expert(seed: int) -> envs.Expert:
    return lambda env: np.array([1.5, 0.0], np.float32)


envs.register("somebody/Dot-v0", envs.Task(Dot, expert, max_episode_steps=60))
