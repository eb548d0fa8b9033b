"""Put a square peg into a square hole."""

from typing import Any

import mujoco
import numpy as np

from envs.arguments import check_metres
from envs.grasp import Part
from envs.place_expert import PlaceExpert
from envs.placing import MAX_EPISODE_STEPS, PUSHES, PlaceTask, add_ring, upright
from envs.registry import Task
from envs.starts import points_apart

AREA = ((0.50, 0.0), (0.22, 0.30))  # centre and size (m) of where peg and hole may be
APART_M = 0.13
YAW_RAD = np.pi / 6  # of peg and board, to either side
HALF_WIDTH_M = 0.015
HALF_LENGTH_M = 0.025
GRASP_M = 0.0125  # below the upper end
BOARD_M = 0.02  # how deep the hole is
WALL_M = 0.025


class PegInsertion(PlaceTask):
    """Put a square peg into a square hole.

    ## Description
    An orange peg, 3 x 3 x 5 cm, stands upright in reach, and so does a board, 2 cm thick, with a square hole
    through it that is 2 mm wider than the peg. The peg is to be put into the hole, down to the table. The
    expert cannot set up a peg that has been knocked over: demonstrations are collected with little noise.

    ## Starting state
    Peg and hole anywhere in 22 x 30 cm around (0.50, 0), at least 13 cm apart, each turned by up to 30
    degrees to either side.

    ## Episode end
    Solved when the peg stands in the hole on the table, touched by no pad.

    ## Arguments
    - `clearance` (0.002): how much wider than the peg the hole is, in metres, 0.001 to 0.01.
    """

    scene = "peg_insertion.xml"
    goal_sides = 4
    entry_m = BOARD_M
    drop_m = 0.006
    funnel = 1.0
    tight = True

    def __init__(self, clearance: float = 0.002, **kwargs: Any) -> None:
        check_metres("clearance", clearance, 0.001, 0.01)
        self.clearance = clearance
        self.precision_m = 0.6 * clearance
        self.tolerance_m = clearance / 2 + 0.001
        super().__init__(**kwargs)

    def edit_scene(self, spec: mujoco.MjSpec) -> None:
        inner = HALF_WIDTH_M + self.clearance / 2
        add_ring(spec.body("goal"), spec.find_default("board"), 4, inner, inner + WALL_M, 0.0, BOARD_M)

    def place_objects(self, rng: np.random.Generator) -> None:
        peg, hole = points_apart(rng, [AREA, AREA], APART_M, self.around)
        pose = upright([*peg, HALF_LENGTH_M], rng.uniform(-YAW_RAD, YAW_RAD))
        self.data.qpos[self._part_qpos : self._part_qpos + 7] = pose
        pose = upright([*hole, 0.0], rng.uniform(-YAW_RAD, YAW_RAD))
        self.data.mocap_pos[0], self.data.mocap_quat[0] = pose[:3], pose[3:]
        self.draw_shades(rng)

    def goal_pose(self) -> tuple[np.ndarray, np.ndarray]:
        hole = self.data.body("goal")
        return hole.xpos + np.array([0.0, 0.0, HALF_LENGTH_M]), hole.xquat.copy()

    def part(self) -> Part:
        peg = self.data.body("part")
        rotation = peg.xmat.reshape(3, 3)
        return Part(peg.xpos + (HALF_LENGTH_M - GRASP_M) * rotation[:, 2], rotation, HALF_WIDTH_M, GRASP_M)


TASKS = {
    "s2robot/PegInsertion-v0": Task(
        PegInsertion,
        PlaceExpert,
        max_episode_steps=MAX_EPISODE_STEPS,
        noise=0.02,
        push_probability=PUSHES,
        drift=0.03,
    ),
}
