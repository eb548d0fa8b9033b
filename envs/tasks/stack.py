"""Put a small cube on a large one."""

from typing import Any

import mujoco
import numpy as np

from envs.arguments import check_metres
from envs.place_expert import PlaceExpert
from envs.placing import MAX_EPISODE_STEPS, PUSHES, PlaceTask, upright
from envs.registry import Task
from envs.starts import points_apart

AREA = ((0.50, 0.0), (0.25, 0.30))  # centre and size (m) of where the cubes may stand
APART_M = 0.11


class StackCube(PlaceTask):
    """Put a small cube on a large one.

    ## Description
    A small red cube and a large blue one stand somewhere in reach; both can be pushed. The small cube
    belongs on the large one.

    ## Starting state
    Both cubes anywhere in 25 x 30 cm around (0.50, 0), at least 11 cm apart, at any yaw.

    ## Episode end
    Solved when the small cube lies on the large one, its centre at least 1 cm inside the large one's edges,
    touched by no pad.

    ## Arguments
    - `cube_size` (0.03): the small cube's edge in metres, 0.015 to 0.04; the large one's is 2 cm more.
    """

    scene = "stack.xml"
    fixtures = ("base",)
    precision_m = 0.008
    drop_m = 0.004

    def __init__(self, cube_size: float = 0.03, **kwargs: Any) -> None:
        check_metres("cube_size", cube_size, 0.015, 0.04)
        self.half_size, self.base_half_size = cube_size / 2, cube_size / 2 + 0.01
        self.tolerance_m = self.base_half_size - 0.01
        super().__init__(**kwargs)
        self._base_qpos = self.model.joint("base").qposadr[0]

    def edit_scene(self, spec: mujoco.MjSpec) -> None:
        for name, half in (("part", self.half_size), ("base", self.base_half_size)):
            spec.geom(name).size = [half] * 3
            spec.body(name).pos[2] = half

    def place_objects(self, rng: np.random.Generator) -> None:
        part, base = points_apart(rng, [AREA, AREA], APART_M, self.around)
        for at, xy, half in (
            (self._part_qpos, part, self.half_size),
            (self._base_qpos, base, self.base_half_size),
        ):
            self.data.qpos[at : at + 7] = upright([*xy, half], rng.uniform(-np.pi, np.pi))
        self.draw_shades(rng)

    def goal_pose(self) -> tuple[np.ndarray, np.ndarray]:
        base = self.data.body("base")
        up = np.array([0.0, 0.0, self.base_half_size + self.half_size])
        return base.xpos + up, base.xquat.copy()


TASKS = {
    "s2robot/StackCube-v0": Task(
        StackCube, PlaceExpert, max_episode_steps=MAX_EPISODE_STEPS, noise=0.05, push_probability=PUSHES
    ),
}
