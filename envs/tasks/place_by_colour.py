"""Put a small part into the slot of its colour, seen from far away."""

from typing import Any

import mujoco
import numpy as np

from envs.arguments import check_metres
from envs.place_expert import PlaceExpert
from envs.placing import MAX_EPISODE_STEPS, PUSHES, PlaceTask, add_ring, upright
from envs.registry import Task
from envs.starts import points_apart

PARTS = ("part", "distractor_0", "distractor_1")
AREA = ((0.42, 0.0), (0.10, 0.30))  # centre and size (m) of where the parts may lie
APART_M = 0.08
SLOTS = ("slot_0", "slot_1", "slot_2", "slot_3")
ROW_CENTRE_M = np.array([0.58, 0.0])
ROW_SIZE_M = np.array([0.04, 0.06])  # by how much the row of slots moves between episodes
PITCH_M = 0.06
FLOOR_M = 0.004  # top of a slot's coloured floor
RIM_M = 0.003  # above that
SLACK_M = 0.011  # between part and rim, both sides together


class PlaceByColour(PlaceTask):
    """Put a small part into the slot of its colour, seen by one camera far away.

    ## Description
    A small coloured cube, the part, lies among two grey ones of the same size. Behind them is a row of four
    shallow slots in red, green, blue and yellow, in any order. The part belongs in the slot of its colour,
    its goal. It is a few pixels wide: as registered, `camera_distance` is 1.4 and `wrist_camera` False.

    ## Starting state
    The cubes anywhere in 10 x 30 cm around (0.42, 0), at least 8 cm apart, at any yaw; the row of slots, 6 cm
    from one to the next along y, anywhere in 4 x 6 cm around (0.58, 0), its order and the coloured cube's
    colour drawn anew.

    ## Episode end
    Solved when the cube lies on the floor of its slot, touched by no pad.

    ## Arguments
    - `part_size` (0.015): the cubes' edge in metres, 0.01 to 0.03.
    """

    scene = "place_by_colour.xml"
    fixtures = SLOTS
    entry_m = RIM_M
    precision_m = 0.004
    drop_m = 0.004

    def __init__(self, part_size: float = 0.015, **kwargs: Any) -> None:
        check_metres("part_size", part_size, 0.01, 0.03)
        self.half_size = part_size / 2
        self.tolerance_m = (SLACK_M + 0.001) / 2
        super().__init__(**kwargs)
        self._free_qpos = [self.model.joint(name).qposadr[0] for name in PARTS]

    def edit_scene(self, spec: mujoco.MjSpec) -> None:
        for name in PARTS:
            spec.geom(name).size = [self.half_size] * 3
            spec.body(name).pos[2] = self.half_size
        self._colours = np.array([spec.geom(name).rgba[:3] for name in SLOTS])
        inner = self.half_size + SLACK_M / 2
        for name in SLOTS:
            rim = spec.find_default("rim")
            add_ring(spec.body(name), rim, 4, inner, inner + 0.003, 0.0, FLOOR_M + RIM_M)
            spec.geom(name).size[:2] = inner

    def place_objects(self, rng: np.random.Generator) -> None:
        points = points_apart(rng, [AREA] * len(PARTS), APART_M, self.around)
        for at, xy in zip(self._free_qpos, points, strict=True):
            self.data.qpos[at : at + 7] = upright([*xy, self.half_size], rng.uniform(-np.pi, np.pi))
        middle = ROW_CENTRE_M + rng.uniform(-0.5, 0.5, 2) * ROW_SIZE_M
        for place, name in enumerate(rng.permutation(SLOTS)):
            y = middle[1] + (place - (len(SLOTS) - 1) / 2) * PITCH_M
            self.data.mocap_pos[self.model.body(name).mocapid[0]] = [middle[0], y, 0.0]
        self.draw_shades(rng, self._colours[rng.integers(len(SLOTS))])

    def slot(self) -> str:
        """The body that has the part's colour."""
        return SLOTS[np.linalg.norm(self._colours - self.data.userdata[:3], axis=1).argmin()]

    def goal_pose(self) -> tuple[np.ndarray, np.ndarray]:
        slot = self.data.body(self.slot())
        return slot.xpos + np.array([0.0, 0.0, FLOOR_M + self.half_size]), slot.xquat.copy()


TASKS = {
    "s2robot/PlaceByColour-v0": Task(
        PlaceByColour,
        PlaceExpert,
        {"camera_distance": 1.4, "wrist_camera": False},
        max_episode_steps=MAX_EPISODE_STEPS,
        noise=0.05,
        push_probability=PUSHES,
    ),
}
