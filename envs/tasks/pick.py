"""Pick a cube from the table and hold it up."""

from typing import Any

import gymnasium
import mujoco
import numpy as np

from envs.base import TabletopEnv, Task, edit_cameras
from envs.grasp import Part, approach
from envs.servo import towards

START_CENTRE_M = np.array([0.50, 0.0])
START_SIZE_M = np.array([0.25, 0.30])
LIFT_M = 0.10
LIFT_MARGIN_M = 0.03  # the expert lifts this much higher than asked


class Pick(TabletopEnv):
    """Pick a cube from the table and hold it 10 cm up.

    ## Description
    A Franka Panda with a two-finger gripper stands at a table (base at the origin, table top at z = 0, x
    forward). A cube lies somewhere in reach. It is held by friction alone.

    ## Action space
    `Box(-1, 1, (7,), float32)`; values outside are clipped. Deltas are in the world frame and move the target
    pose of the grip point, which stays inside the workspace and the joint limits.

    | index | meaning                                  | an action of 1             |
    |-------|------------------------------------------|----------------------------|
    | 0-2   | move the grip point along x, y, z        | 5 cm a step                |
    | 3-5   | turn the gripper, axis-angle about x y z | 0.5 rad a step             |
    | 6     | gripper: > 0 closes, < 0 opens, 0 holds  | each finger moves 5 cm/s   |

    ## Observation space
    `Dict`; images are uint8, top row first, the rest is float64, in metres and in the world frame.

    | key                        | shape     | meaning                                            |
    |----------------------------|-----------|----------------------------------------------------|
    | `agentview_image`          | (h, w, 3) | from in front of the robot, over the workspace     |
    | `robot0_eye_in_hand_image` | (h, w, 3) | from the hand, over what is between the fingers    |
    | `robot0_eef_pos`           | (3,)      | grip point, between the pads                       |
    | `robot0_eef_quat`          | (4,)      | its orientation xyzw, with the sign nearest home's |
    | `robot0_gripper_qpos`      | (2,)      | left, right finger from the middle, 0 to 0.04      |
    | `object`                   | (10,)     | privileged: cube position, cube orientation xyzw,  |
    |                            |           | cube position less grip point                      |

    ## Reward
    1 when the task is solved, else 0; with `reward_type="dense"` up to 0.9 on the way there, for being near
    the cube, holding it and lifting it.

    ## Starting state
    The cube anywhere in 25 x 30 cm around (0.50, 0) at any yaw; arm joints uniformly within 0.1 rad of home
    (gripper pointing down, 25 cm above the table); gripper open.

    ## Episode end
    Terminates when solved (`info["success"]`): the cube's lower side at least 10 cm above the table and both
    pads touching the cube, for 5 control steps in a row. Truncates after 100 steps.

    ## Arguments
    - `image_size` (448): int or (height, width) of every image, in pixels.
    - `cameras` (all there are): which cameras are observed.
    - `control_freq` (10): control steps a second, a divisor of 500.
    - `cube_size` (0.04): the cube's edge in metres, 0.01 to 0.07.
    - `camera_distance` (the scene's): of agentview from the middle of the workspace, in metres.
    - `wrist_camera` (True): whether there is a camera in the hand.
    - `reward_type` ("sparse"): or "dense".
    - `vary_scene` (False): whether light, table and pose of agentview differ between episodes.
    """

    scene = "pick.xml"

    def __init__(
        self,
        image_size: int | tuple[int, int] = 448,
        cameras: tuple[str, ...] | None = None,
        control_freq: int = 10,
        render_mode: str | None = None,
        cube_size: float = 0.04,
        camera_distance: float | None = None,
        wrist_camera: bool = True,
        reward_type: str = "sparse",
        vary_scene: bool = False,
    ) -> None:
        if not 0.01 <= cube_size <= 0.07:
            raise ValueError(f"cube_size is {cube_size!r}; the gripper takes 0.01 to 0.07 m")
        self.half_size = cube_size / 2
        self._camera_distance = camera_distance
        self._wrist_camera = wrist_camera
        super().__init__(image_size, cameras, control_freq, render_mode, reward_type, vary_scene)
        self._cube_qpos = self.model.joint("cube").qposadr[0]
        self._cube = self.model.geom("cube").id

    def edit_scene(self, spec: mujoco.MjSpec) -> None:
        spec.geom("cube").size = [self.half_size] * 3
        spec.body("cube").pos[2] = self.half_size
        edit_cameras(spec, self._camera_distance, self._wrist_camera)

    def place_objects(self, rng: np.random.Generator) -> None:
        xy = START_CENTRE_M + rng.uniform(-0.5, 0.5, size=2) * START_SIZE_M
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
    """Goes above the cube, turns with it, sinks around it, closes, lifts; from wherever arm and cube are.

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
