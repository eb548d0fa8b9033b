"""What a policy must be given in each step, and whether an observation is that."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from s2robot.errors import UserError, unknown_name
from s2robot.types import Spec

log = logging.getLogger(__name__)

FAR = 10  # ranges of the training that a number is outside of it
Ranges = Mapping[str, tuple[np.ndarray, np.ndarray]]  # lowest and highest numbers of a key
Described = dict[str, dict[str, Any]]  # observation key -> {"shape", "dtype"}


class Inputs:
    """The observation of a policy of this spec: frames as the dataset stored them, and proprioception.

    A camera's frame is given under its observation key (`agentview_image`) or its name (`agentview`).
    """

    def __init__(self, spec: Spec, ranges: Ranges | None = None) -> None:
        """`ranges` are those of the training; proprioception far outside of them is warned of, once a key."""
        self._ranges = dict(ranges or {})
        self.keys = tuple(spec.observed)
        self.frames = {camera.key: (*camera.size, 3) for camera in spec.cameras.values()}
        self.flips = {camera.key: camera.flips for camera in spec.cameras.values() if camera.flips}
        self.proprio = dict(spec.proprio)
        self._key_of = {name: camera.key for name, camera in spec.cameras.items()}
        self._key_of |= {key: key for key in self.keys}

    @property
    def described(self) -> Described:
        """Observation key -> {"shape", "dtype"}; images are "h w 3"."""
        frames = {key: {"shape": shape, "dtype": "uint8"} for key, shape in self.frames.items()}
        return frames | {key: {"shape": (dim,), "dtype": "float32"} for key, dim in self.proprio.items()}

    def check(self, obs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Copies of an observation's arrays: frames with the top row first, proprioception float32 "d".

        Raises `UserError` for keys that miss or that the policy does not read, for other shapes and types,
        and for numbers that are not finite.
        """
        if not isinstance(obs, Mapping):
            raise UserError(f"an observation is a dictionary of {', '.join(self.keys)}, not {_told(obs)}")
        given: dict[str, Any] = {}
        for name, value in obs.items():
            if name not in self._key_of:
                raise unknown_name("observation", str(name), self.keys)
            key = self._key_of[name]
            if key in given:
                raise UserError(f"{key} is given twice: under its key and under its camera's name")
            given[key] = value
        if missing := [key for key in self.keys if key not in given]:
            raise UserError(
                f"the observation lacks {', '.join(missing)}; the policy reads {', '.join(self.keys)}"
            )
        return {key: self._checked(key, as_array(key, given[key])) for key in self.keys}

    def _checked(self, key: str, value: np.ndarray) -> np.ndarray:
        return self._frame(key, value) if key in self.frames else self._numbers(key, value)

    def _frame(self, key: str, frame: np.ndarray) -> np.ndarray:
        wanted = self.frames[key]
        if frame.dtype != np.uint8:
            raise UserError(
                f"{key} must be uint8 in 0..255, not {_told(frame)}: give the camera's frame as it is"
            )
        if frame.shape != wanted:
            hint = "a frame of the size that the policy was trained with"
            if frame.shape == (wanted[2], *wanted[:2]):
                hint = "channels come last"
            elif frame.shape[:2] == wanted[:2]:
                hint = "three colours, without an alpha channel"
            elif frame.shape[1:] == wanted:
                hint = "one frame, without a batch axis"
            raise UserError(f"{key} has the shape {frame.shape}, expected {wanted}: {hint}")
        return np.array(np.flip(frame, self.flips.get(key, ())), order="C")

    def _numbers(self, key: str, numbers: np.ndarray) -> np.ndarray:
        dim = self.proprio[key]
        if numbers.dtype.kind not in "fiub":  # a contact may be told as true or false
            raise UserError(f"{key} must be numbers, not {_told(numbers)}")
        if math.prod(numbers.shape) != dim:
            raise UserError(f"{key} has the shape {numbers.shape}, expected ({dim},)")
        flat = numbers.reshape(dim)
        with np.errstate(over="ignore"):
            values: np.ndarray = flat.astype(np.float32)
        if not np.isfinite(values).all():
            bad = int(np.flatnonzero(~np.isfinite(values))[0])
            raise UserError(f"{key}[{bad}] is {flat[bad]}: every number must be finite")
        self._warn_if_far(key, values)
        return values

    def _warn_if_far(self, key: str, values: np.ndarray) -> None:
        """Say once when proprioception is nothing like that of the training: other units, another robot."""
        if key not in self._ranges:
            return
        low, high = self._ranges[key]
        span = high - low
        far = (span > 0) & (np.maximum(values - high, low - values) > FAR * span)
        if far.any():
            i = int(far.argmax())
            told = "%s[%d] is %.4g, and %.4g to %.4g in training: is it in the same units? (said once)"
            log.warning(told, key, i, values[i], low[i], high[i])
            del self._ranges[key]


def as_array(key: str, value: Any) -> np.ndarray:
    """A value as an array; `UserError` for what is none."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # a ragged list, a tensor on a GPU
        raise UserError(f"{key} is no array of numbers: {error}") from error


def _told(value: Any) -> str:
    """A value's type in a message."""
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
