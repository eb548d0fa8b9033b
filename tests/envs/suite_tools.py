"""What tests of environments share: making one, letting the expert finish, where a point is in an image."""

from typing import Any

import gymnasium
import numpy as np
import pytest

import envs

SIZE = 64
ALL = pytest.mark.parametrize("env_id", sorted(envs.TASKS))
# Tasks whose object is taken into the hand. One that pushes its object has no `is_gripped`.
HOLDING = pytest.mark.parametrize(
    "env_id", sorted(name for name, task in envs.TASKS.items() if hasattr(task.env, "is_gripped"))
)


def make(env_id: str, **kwargs: Any) -> Any:
    return gymnasium.make(env_id, **{"image_size": SIZE, "disable_env_checker": True, **kwargs})


def blind(env_id: str, **kwargs: Any) -> Any:
    """An environment that renders only when asked to."""
    env = make(env_id, **kwargs)
    task: Any = env.unwrapped
    task.images_in_step = False
    return env


def finish(env: Any, expert: Any) -> tuple[int, bool]:
    """Lets the expert act to the end of the episode; returns (steps, success)."""
    steps, done, info = 0, False, {}
    while not done:
        _, _, terminated, truncated, info = env.step(expert(env))
        steps, done = steps + 1, terminated or truncated
    return steps, info["success"]


def pixel_of(task: Any, camera: str, point: Any) -> tuple[int, int]:
    """(row, column) of a world point by the pinhole camera model; row 0 is the top."""
    height, width = task.image_size
    cam = task.data.camera(camera)
    x, y, z = cam.xmat.reshape(3, 3).T @ (point - cam.xpos)  # x right, y up, looks along -z
    focal = height / 2 / np.tan(np.radians(task.model.camera(camera).fovy[0]) / 2)
    return round(height / 2 - focal * y / -z - 0.5), round(width / 2 + focal * x / -z - 0.5)
