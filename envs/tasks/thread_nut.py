"""Lower a nut onto a peg."""

from typing import Any

import mujoco
import numpy as np

from envs.arguments import check_metres
from envs.grasp import Part
from envs.place_expert import PlaceExpert
from envs.placing import MAX_EPISODE_STEPS, PUSHES, PlaceTask, add_ring, upright
from envs.registry import Task
from envs.starts import points_apart

AREA = ((0.50, 0.0), (0.22, 0.30))  # centre and size (m) of where nut and peg may be
APART_M = 0.11
HOLE_M = 0.010  # half of the nut's hole, from flat to flat
HALF_WIDTH_M = 0.022
HALF_HEIGHT_M = 0.009
PEG_M = 0.030  # its height
SIDES = 6


class ThreadNut(PlaceTask):
    """Lower a nut onto a peg.

    ## Description
    A hexagonal nut of brass, 4.4 cm from flat to flat, 1.8 cm high, with a hole of 2 cm, lies in reach, and
    a round peg, 3 cm high and 4 mm thinner than the hole, stands there. The nut belongs on the peg, down to
    the table.

    ## Starting state
    Nut and peg anywhere in 22 x 30 cm around (0.50, 0), at least 11 cm apart, the nut at any yaw.

    ## Episode end
    Solved when the nut lies on the table around the peg, touched by no pad.

    ## Arguments
    - `clearance` (0.004): how much thinner than the hole the peg is, in metres, 0.002 to 0.012.
    """

    scene = "thread_nut.xml"
    entry_m = PEG_M
    drop_m = 0.006
    funnel = 2.0  # a policy that decides often cannot imitate a step

    def __init__(self, clearance: float = 0.004, **kwargs: Any) -> None:
        check_metres("clearance", clearance, 0.002, 0.012)
        self.clearance = clearance
        self.precision_m = 0.3 * clearance
        self.tolerance_m = clearance / 2 + 0.001
        super().__init__(**kwargs)

    def edit_scene(self, spec: mujoco.MjSpec) -> None:
        nut = spec.find_default("nut")
        add_ring(spec.body("part"), nut, SIDES, HOLE_M, HALF_WIDTH_M, -HALF_HEIGHT_M, HALF_HEIGHT_M)
        peg = spec.geom("peg")
        peg.pos = [0.0, 0.0, PEG_M / 2]
        peg.size[:2] = [HOLE_M - self.clearance / 2, PEG_M / 2]

    def place_objects(self, rng: np.random.Generator) -> None:
        nut, peg = points_apart(rng, [AREA, AREA], APART_M, self.around)
        pose = upright([*nut, HALF_HEIGHT_M], rng.uniform(-np.pi, np.pi))
        self.data.qpos[self._part_qpos : self._part_qpos + 7] = pose
        self.data.mocap_pos[0] = [*peg, 0.0]
        self.draw_shades(rng)

    def goal_pose(self) -> tuple[np.ndarray, np.ndarray]:
        peg = self.data.body("goal")
        return peg.xpos + np.array([0.0, 0.0, HALF_HEIGHT_M]), peg.xquat.copy()

    def part(self) -> Part:
        nut = self.data.body("part")
        return Part(nut.xpos, nut.xmat.reshape(3, 3), HALF_WIDTH_M, HALF_HEIGHT_M, SIDES)


TASKS = {
    "s2robot/ThreadNut-v0": Task(
        ThreadNut,
        PlaceExpert,
        max_episode_steps=MAX_EPISODE_STEPS,
        noise=0.03,
        push_probability=PUSHES,
        drift=0.05,
    ),
}
