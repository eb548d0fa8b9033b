"""What scripted experts share: turning "be there, so oriented" into an action, at a human's pace."""

import numpy as np

from envs.panda import POSITION_STEP_M, ROTATION_STEP_RAD, rotation_vector

GAIN = 0.5  # share of the remaining way covered in a step, so that motions slow down near the goal
MAX_POSITION_ACTION = 0.27  # 1.35 cm a step: 13.5 cm/s at 10 Hz
MAX_ROTATION_ACTION = 0.25


def towards(error_m: np.ndarray, rotation_error: np.ndarray, pace: float = 1.0) -> np.ndarray:
    """The first six numbers of an action that reduces the errors: (3,) m and a rotation matrix (3, 3).

    `rotation_error` turns the current orientation into the wanted one (world frame).
    """
    move = _shorten(GAIN * error_m / POSITION_STEP_M, pace * MAX_POSITION_ACTION)
    turn = _shorten(GAIN * rotation_vector(rotation_error) / ROTATION_STEP_RAD, pace * MAX_ROTATION_ACTION)
    return np.concatenate([move, turn])


def pointing_down(yaw_rad: float) -> np.ndarray:
    """Rotation matrix (3, 3) of a gripper that points down, its x axis at `yaw_rad` from the world's."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.array([[c, s, 0.0], [s, -c, 0.0], [0.0, 0.0, -1.0]])


def _shorten(vector: np.ndarray, limit: float) -> np.ndarray:
    return vector * min(1.0, limit / max(float(np.linalg.norm(vector)), 1e-9))
