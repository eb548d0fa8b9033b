"""States that MuJoCo can be given, and where its warnings go: to Python's log, not into a file."""

import logging

import mujoco
import numpy as np

mujoco.set_mju_user_warning(logging.getLogger(__name__).warning)  # the default writes MUJOCO_LOG.TXT


def check_state(state: np.ndarray) -> None:
    """Raises ValueError for numbers at which MuJoCo gives up and shows another scene."""
    wrong = np.flatnonzero(~(np.abs(state) <= mujoco.mjMAXVAL))  # also those that are no numbers
    if len(wrong):
        value, at = state[wrong[0]], wrong[0]
        raise ValueError(
            f"state has {value} at index {at}; expected finite numbers up to {mujoco.mjMAXVAL:g}"
        )
