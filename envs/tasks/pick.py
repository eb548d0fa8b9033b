"""Pick a cube from the table and hold it up."""

from typing import Any

import gymnasium
import mujoco
import numpy as np

from envs.arguments import check_metres
from envs.base import TabletopEnv
from envs.grasp import Part, approach
from envs.registry import Task
from envs.servo import towards
from envs.starts import points_apart

AREA = ((0.50, 0.0), (0.25, 0.30))  # centre and size (m) of where the cube may lie
LIFT_M = 0.10
LIFT_MARGIN_M = 0.03  # the expert lifts this much higher than the goal


class Pick(TabletopEnv):
    """Pick a cube from the table and hold it 10 cm up.

    ## Description
    A cube lies somewhere in reach.

    ## Observation space
    | `object`                   | (10,)     | privileged: cube position, cube orientation xyzw,  |
    |                            |           | cube position less grip point                      |

    ## Reward
    On the way: being near the cube, holding it, lifting it.

    ## Starting state
    The cube anywhere in 25 x 30 cm around (0.50, 0) at any yaw; with `vary_scene` in another shade of red.

    ## Episode end
    Solved when the cube's lower side is at least 10 cm above the table and both pads touch the cube.
    Truncates after 100 steps.

    ## Arguments
    - `cube_size` (0.04): the cube's edge in metres, 0.01 to 0.07.
    """

    scene = "pick.xml"

    def __init__(self, cube_size: float = 0.04, **kwargs: Any) -> None:
        check_metres("cube_size", cube_size, 0.01, 0.07)
        self.half_size = cube_size / 2
        super().__init__(**kwargs)
        self._cube_qpos = self.model.joint("cube").qposadr[0]
        self._cube = self.model.geom("cube").id

    def edit_scene(self, spec: mujoco.MjSpec) -> None:
        spec.geom("cube").size = [self.half_size] * 3
        spec.body("cube").pos[2] = self.half_size

    def place_objects(self, rng: np.random.Generator) -> None:
        (xy,) = points_apart(rng, [AREA], 0.0, self.around)
        yaw = rng.uniform(-np.pi, np.pi)
        pose = [*xy, self.half_size, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
        self.data.qpos[self._cube_qpos : self._cube_qpos + 7] = pose

    def object_state(self) -> np.ndarray:
        position, quat_wxyz = self.data.body("cube").xpos, self.data.body("cube").xquat
        return np.concatenate([position, np.roll(quat_wxyz, -1), position - self.panda.pose(self.data)[0]])

    def is_success(self) -> bool:
        return bool(self.data.geom_xpos[self._cube, 2] - self.half_size >= LIFT_M) and self.is_gripped()

    def is_gripped(self) -> bool:
        """Whether both pads touch the cube."""
        return self.pads_touching([self._cube]) == 2

    def progress(self) -> float:
        cube = self.data.geom_xpos[self._cube]
        near = 1 - np.tanh(5 * np.linalg.norm(cube - self.panda.pose(self.data)[0]))
        lifted = np.clip((cube[2] - self.half_size) / LIFT_M, 0.0, 1.0) if self.is_gripped() else 0.0
        return float(0.3 * near + 0.3 * self.is_gripped() + 0.3 * lifted)


class PickExpert:
    """Moves above the cube, aligns, descends, closes, lifts; from any pose of arm and cube.

    The action depends on the current state alone and is continuous but for opening and closing, so that a
    policy can learn it from what it sees and it is the right correction after any disturbance.
    """

    def __init__(self, seed: int = 0) -> None:
        self._pace = float(np.random.default_rng(seed).uniform(0.95, 1.05))

    def __call__(self, env: gymnasium.Env[Any, Any]) -> np.ndarray:
        task = env.unwrapped
        assert isinstance(task, Pick)
        half = task.half_size
        cube, cube_rotation = task.data.body("cube").xpos, task.data.body("cube").xmat.reshape(3, 3)
        closing, error, turn = approach(task.panda, task.data, Part(cube, cube_rotation, half, half))
        if closing and task.is_gripped():
            error = np.array([0.0, 0.0, LIFT_M + half + LIFT_MARGIN_M - cube[2]])
        gripper = 1.0 if closing else -1.0
        return np.append(towards(error, turn, self._pace), gripper).astype(np.float32)


TASKS = {
    "s2robot/PickCube-v0": Task(Pick, PickExpert),
    "s2robot/PickSmall-v0": Task(
        Pick, PickExpert, {"cube_size": 0.018, "camera_distance": 1.4, "wrist_camera": False}
    ),
}
