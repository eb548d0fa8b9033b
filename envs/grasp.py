"""How scripted experts grasp a part from above: align, descend, close; from any pose of both."""

from dataclasses import dataclass

import mujoco
import numpy as np

from envs.panda import MAX_WIDTH_M, Panda
from envs.servo import pointing_down

HOVER_M = 0.10
LOWEST_GRASP_M = 0.0125  # pads just above the table
PAD_M = 0.009  # half a pad's edge
OPEN_M = 0.036  # a finger beyond this counts as open


@dataclass(frozen=True)
class Part:
    """What the gripper takes: where, how it is turned, how far it reaches from there."""

    position_m: np.ndarray  # (3,) where the pads should be
    rotation: np.ndarray  # (3, 3)
    half_width_m: float  # between the pads
    half_height_m: float  # above (and at least as much below) `position_m`
    sides: int = 4  # of its outline, evenly turned: pads fit on any opposite pair


def approach(panda: Panda, data: mujoco.MjData, part: Part) -> tuple[bool, np.ndarray, np.ndarray]:
    """Whether to close now; where to go, (3,) m; how to turn, (3, 3); all from the current state alone.

    How high to be follows from how far the gripper still is from being aligned: a funnel above the part.
    """
    half = part.half_width_m
    position, rotation = panda.pose(data)
    finger = panda.finger_qpos(data).mean()
    centre = part.position_m
    turn = pointing_down(_grasp_yaw(rotation, part)) @ rotation.T
    angle = angle_of(turn)
    # The grasp is at the part's middle, but for small parts, where the pads would touch the table.
    grasp = np.array([centre[0], centre[1], max(centre[2], LOWEST_GRASP_M)])
    error = grasp - position
    offset = np.abs(rotation.T @ error)  # x across the pads, y from pad to pad

    if _is_around(offset, angle, part, closing=bool(finger < OPEN_M)):
        return True, error, turn

    needed = min(OPEN_M, half + 0.012)
    height = max(4 * (offset[1] - 0.008), 3 * (offset[0] - 0.010), 0.4 * (angle - 0.2), 8 * (needed - finger))
    error[2] += np.clip(height, 0.0, HOVER_M)
    # Below the part's top, go sideways only if the part is between the fingers; else rise first.
    between = (MAX_WIDTH_M / 2 - half - offset[1]) / 0.008
    above = (position[2] - PAD_M - centre[2] - part.half_height_m) / 0.015
    error[:2] *= np.clip(max(between, above), 0.0, 1.0)
    return False, error, turn


def angle_of(rotation: np.ndarray) -> float:
    """How far a rotation matrix turns (rad)."""
    return float(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1.0, 1.0)))


def yaw_of(axis: np.ndarray) -> float:
    """How far an axis (3,) is turned about the vertical, from the world's x axis (rad)."""
    return float(np.arctan2(axis[1], axis[0]))


def nearest_yaw(yaw_rad: float, to_rad: float, sides: int) -> float:
    """Of the yaws that look like `yaw_rad` on something with `sides` even sides, the nearest to `to_rad`."""
    step = 2 * np.pi / sides
    return float(to_rad + (yaw_rad - to_rad + step / 2) % step - step / 2)


def _is_around(offset_m: np.ndarray, angle_rad: float, part: Part, closing: bool) -> bool:
    """Whether the part is between the pads, `offset_m` (3,) in the grip frame; less strict when `closing`."""
    half = part.half_width_m
    wide, high = half + PAD_M, part.half_height_m + PAD_M  # pad and part overlap up to here
    if closing:
        return bool((offset_m < [0.75 * wide, MAX_WIDTH_M / 2, 0.75 * high]).all())
    side = MAX_WIDTH_M / 2 - half - 0.006
    return bool((offset_m < [0.45 * wide, side, 0.45 * high]).all() and angle_rad < 0.3)


def _grasp_yaw(gripper: np.ndarray, part: Part) -> float:
    """Of the yaws (rad) with pads parallel to the part's sides, the nearest to the gripper's."""
    upright = int(np.abs(part.rotation[2]).argmax())  # the part may lie on any of its sides
    side = part.rotation[:, (upright + 1) % 3]
    return nearest_yaw(yaw_of(side), yaw_of(gripper[:, 0]), part.sides)
