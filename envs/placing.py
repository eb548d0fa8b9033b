"""What the tasks share that place a part at its goal and release it: scene, goal, success.

A task subclasses `PlaceTask`. Its scene has a body `part` with a free joint of that name; `goal_pose` is
the pose where that body is placed. `envs.place_expert` solves all of them.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import mujoco
import numpy as np

from envs.base import TabletopEnv
from envs.grasp import Part

MAX_EPISODE_STEPS = 150
PUSHES = 0.02  # of `Task.push_probability`: these experts do not recover from every push
HEIGHT_TOLERANCE_M = 0.003
SHADE = 0.06  # red, green and blue of part and goal differ by up to this between episodes


class PlaceTask(TabletopEnv):
    """A part is grasped, carried to its goal and released.

    ## Observation space
    | `object`                   | (17,)     | privileged: part position, part orientation xyzw,  |
    |                            |           | part position less grip point, goal position, goal |
    |                            |           | orientation xyzw (of the part when it is there)    |

    ## Reward
    On the way: being near the part, holding it, bringing it near the goal.

    ## Starting state
    Colours of part and goal in slightly different shades.

    ## Episode end
    Truncates after 150 steps.
    """

    fixtures: ClassVar[tuple[str, ...]] = ("goal",)  # bodies whose shade varies with the part's
    goal_sides: ClassVar[int | None] = None  # the part fits in so many yaws; None: in any
    tolerance_m: float  # placed means this near the goal along each of its horizontal axes
    entry_m: float = 0.0  # lower than this above the goal, the part is inside something
    half_size: float  # of a cube
    drop_m: float = 0.002  # the part may be released from this high
    precision_m: float  # the part may be lowered when it is this near
    funnel: float = 0.25  # the expert lowers it while it comes nearer by so many times the precision
    tight: ClassVar[bool] = False  # there is so little room that the expert lowers it slowly

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._part_qpos = self.model.joint("part").qposadr[0]
        self._part_geoms = self._geoms_of(("part",))
        self._fixture_geoms = self._geoms_of(self.fixtures)
        self._rgba = self.model.geom_rgba.copy()

    # What a task gives.

    def goal_pose(self) -> tuple[np.ndarray, np.ndarray]:
        """The part's goal: position (3,) m and orientation wxyz (4,)."""
        raise NotImplementedError

    def part(self) -> Part:
        """How the gripper takes the part: it is a cube of `half_size` unless the task overrides this."""
        cube = self.data.body("part")
        return Part(cube.xpos, cube.xmat.reshape(3, 3), self.half_size, self.half_size)

    def draw_shades(self, rng: np.random.Generator, part_rgb: np.ndarray | None = None) -> None:
        """Gives part (its colour in the scene unless given) and fixtures the shades of this episode."""
        rgb = self._rgba[self._part_geoms[0], :3] if part_rgb is None else part_rgb
        self.data.userdata[:6] = rng.uniform(-SHADE, SHADE, 6) + np.append(rgb, np.zeros(3))

    # The rest follows.

    def restore_look(self) -> None:
        super().restore_look()
        shades = self.data.userdata[:6].reshape(2, 3)
        look = self._rgba.copy()
        look[self._part_geoms, :3] = shades[0]
        look[self._fixture_geoms, :3] += shades[1]
        self.model.geom_rgba[:] = np.clip(look, 0.0, 1.0)

    def object_state(self) -> np.ndarray:
        position, quat_wxyz = self.data.body("part").xpos, self.data.body("part").xquat
        goal, goal_wxyz = self.goal_pose()
        from_grip = position - self.panda.pose(self.data)[0]
        return np.concatenate([position, np.roll(quat_wxyz, -1), from_grip, goal, np.roll(goal_wxyz, -1)])

    def is_success(self) -> bool:
        return self.is_placed() and self.pads_touching(self._part_geoms) == 0

    def is_placed(self, height_tolerance_m: float = HEIGHT_TOLERANCE_M) -> bool:
        """Whether the part is at its goal, released or not."""
        goal, goal_wxyz = self.goal_pose()
        off = matrix_of(goal_wxyz).T @ (self.data.body("part").xpos - goal)
        return bool((np.abs(off) <= [self.tolerance_m, self.tolerance_m, height_tolerance_m]).all())

    def is_gripped(self) -> bool:
        """Whether both pads touch the part."""
        return self.pads_touching(self._part_geoms) == 2

    def progress(self) -> float:
        part, placed = self.data.body("part").xpos, self.is_placed()
        near = 1 - np.tanh(5 * np.linalg.norm(part - self.panda.pose(self.data)[0]))
        arrived = 1 - np.tanh(5 * np.linalg.norm(part - self.goal_pose()[0]))
        return float(0.9 if placed else 0.2 * near + 0.2 * self.is_gripped() + 0.4 * arrived)

    def _geoms_of(self, bodies: Sequence[str]) -> np.ndarray:
        ids = [self.model.body(name).id for name in bodies]
        return np.flatnonzero(np.isin(self.model.geom_bodyid, ids))


def matrix_of(quat_wxyz: np.ndarray) -> np.ndarray:
    """Rotation matrix (3, 3) of a unit quaternion (4,)."""
    matrix = np.empty(9)
    mujoco.mju_quat2Mat(matrix, quat_wxyz)
    return matrix.reshape(3, 3)


def upright(position: Sequence[float] | np.ndarray, yaw_rad: float) -> list[float]:
    """A pose as MuJoCo keeps it: position (3,) m, then orientation wxyz of a turn about the vertical."""
    return [*position, np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)]


def add_ring(
    body: mujoco.MjsBody,
    default: mujoco.MjsDefault,
    sides: int,
    inner_m: float,
    outer_m: float,
    low_m: float,
    high_m: float,
) -> None:
    """Adds walls around a hole with even sides: half widths inside and out, from one height to another."""
    size = [(outer_m - inner_m) / 2, outer_m * np.tan(np.pi / sides), (high_m - low_m) / 2]
    for side in range(sides):
        angle = 2 * np.pi * side / sides
        middle = (inner_m + outer_m) / 2 * np.array([np.cos(angle), np.sin(angle)])
        pose = upright([*middle, (low_m + high_m) / 2], angle)
        body.add_geom(default, type=mujoco.mjtGeom.mjGEOM_BOX, size=size, pos=pose[:3], quat=pose[3:])
