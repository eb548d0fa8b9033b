"""What a camera could show of a task's privileged state, as a vector, and how far an estimate of it is off.

Orientations are the yaw alone, as cosine and sine of `sides * yaw`: how a part with even sides is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.placing import PlaceTask

PROPRIO = ("robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos")
OBJECT = "object"
STATE = (*PROPRIO, OBJECT)
NEAR_M = 0.05
OFF_GOAL_M = 0.03  # an estimate of the goal that is further off means another goal, e.g. of another colour


@dataclass(frozen=True)
class Description:
    """Of one task: the sides of its part, and of its goal (None: picking has no goal)."""

    part_sides: int
    goal_sides: int | None

    @classmethod
    def of(cls, task: Any) -> "Description":
        """Of an environment that was reset."""
        if not isinstance(task, PlaceTask):
            return cls(4, None)
        return cls(task.part().sides, task.goal_sides or 1)

    def seen(self, state: np.ndarray) -> np.ndarray:
        """What cameras show, (..., 5 or 10), of the privileged state `object`: part, then goal."""
        parts = [state[..., :3], *_turn(state[..., 3:7], self.part_sides)]
        if self.goal_sides is not None:
            parts += [state[..., 10:13], *_turn(state[..., 13:17], self.goal_sides)]
        return np.concatenate(parts, axis=-1)

    def inputs(self, obs: Mapping[str, np.ndarray], seen: np.ndarray) -> np.ndarray:
        """What the imitating network reads: proprioception, what is seen, and differences of positions."""
        part, goal = seen[..., :3], seen[..., 5:8]
        between = [part - obs[PROPRIO[0]], *([goal - part] if self.goal_sides is not None else [])]
        return np.concatenate([*(obs[key] for key in PROPRIO), seen, *between], axis=-1)

    def errors(self, estimated: np.ndarray, seen: np.ndarray, grip_m: np.ndarray) -> dict[str, float]:
        """Median errors of estimates (n, d): millimetres in the plane, degrees, per cent of right goals.

        Those called `near` are of the frames in which the grip point (n, 3) is within `NEAR_M` of the object.
        """
        found = self._of_object("part", estimated, seen, grip_m, self.part_sides)
        if self.goal_sides is not None:
            found |= self._of_object("goal", estimated[:, 5:], seen[:, 5:], grip_m, self.goal_sides)
            off = np.linalg.norm((estimated - seen)[:, 5:7], axis=1)
            found["right_goal_percent"] = float(100 * (off < OFF_GOAL_M).mean())
        return {name: round(value, 2) for name, value in found.items()}

    @staticmethod
    def _of_object(
        name: str, estimated: np.ndarray, seen: np.ndarray, grip_m: np.ndarray, sides: int
    ) -> dict[str, float]:
        off_mm = 1e3 * np.linalg.norm((estimated - seen)[:, :2], axis=1)
        angles = [np.arctan2(values[:, 4], values[:, 3]) for values in (estimated, seen)]
        off_rad = np.abs((angles[0] - angles[1] + np.pi) % (2 * np.pi) - np.pi) / sides
        found = {f"{name}_mm": off_mm, f"{name}_degrees": np.degrees(off_rad)}
        near = np.linalg.norm((grip_m - seen[:, :3])[:, :2], axis=1) < NEAR_M
        if near.any():
            found |= {f"near_{key}": values[near] for key, values in found.items()}
        return {key: float(np.median(values)) for key, values in found.items()}


def _turn(quat_xyzw: np.ndarray, sides: int) -> list[np.ndarray]:
    x, y, z, w = np.moveaxis(quat_xyzw, -1, 0)
    angle = sides * np.arctan2(2 * (w * z + x * y), 1 - 2 * (y**2 + z**2))
    return [np.cos(angle)[..., None], np.sin(angle)[..., None]]
