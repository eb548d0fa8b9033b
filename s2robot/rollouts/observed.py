"""Whether an environment returns what its own observation space says. Imports no PyTorch."""

from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium
import numpy as np

from s2robot.errors import UserError

KINDS = {"b": 0, "i": 1, "u": 1, "f": 2}  # of dtypes: each holds what is lower or the same
MEND = "reset and step must return what observation_space says"


class ObservationCheck:
    """Checks observations of an environment, by its own keys, against its space. Raises `UserError`.

    Frames (uint8 "h w 3") must be exactly as the space says. For numbers a wider type, a Python list and axes
    of length 1 in front are accepted: the numbers are the same.
    """

    def __init__(self, env_id: str, spaces: Mapping[str, gymnasium.Space[Any]]) -> None:
        self.env_id = env_id
        self.images = [key for key, space in spaces.items() if is_image(space)]
        self._wanted = {
            key: (space.shape, space.dtype)
            for key, space in spaces.items()
            if space.shape is not None and space.dtype is not None
        }

    def frames(self, obs: Mapping[str, Any], keys: Iterable[str]) -> None:
        """Check the frames of these keys, whose arrays are used as they are."""
        for key in keys:
            frame, (shape, dtype) = self._array(obs, key), self._wanted[key]
            if frame.shape != shape or frame.dtype != dtype:
                raise self._contradiction(key, frame)

    def numbers(self, obs: Mapping[str, Any], key: str, step: int, seed: int) -> np.ndarray:
        """A copy of numbers, in the shape that the space says; `step` and `seed` are for the message."""
        value, (shape, dtype) = self._array(obs, key), self._wanted[key]
        if not _holds(dtype, value.dtype) or _plain(value.shape) != _plain(shape):
            raise self._contradiction(key, value)
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            bad = value[~np.isfinite(value)][0]
            when = f"after {step} steps of seed {seed}"
            raise UserError(f"{self.env_id}: {key} has {bad} {when}; what a policy reads must be finite")
        return np.array(value).reshape(shape)

    def _array(self, obs: Mapping[str, Any], key: str) -> np.ndarray:
        found = self._found(obs, key)
        try:
            value = np.asarray(found)
        except ValueError as error:  # a ragged list
            raise self._contradiction(key, found) from error
        if value.dtype.hasobject:
            raise self._contradiction(key, found)
        return value

    def _found(self, obs: Mapping[str, Any], key: str) -> Any:
        if not isinstance(obs, Mapping):
            told = f"its observation is {_told(obs)}, its space is a Dict"
            raise UserError(f"{self.env_id}: {told}; {MEND}")
        if key not in obs:
            told = f"its observation lacks {key}, which its space has; it has {', '.join(map(str, obs))}"
            raise UserError(f"{self.env_id}: {told}; {MEND}")
        return obs[key]

    def _contradiction(self, key: str, value: Any) -> UserError:
        shape, dtype = self._wanted[key]
        said = f"its space says {dtype} {shape}"
        return UserError(f"{self.env_id}: {key} is {_told(value)}, {said}; {MEND}")


def is_image(space: gymnasium.Space[Any]) -> bool:
    """Whether an observation is a camera's frame."""
    return space.dtype == np.uint8 and space.shape is not None and space.shape[2:] == (3,)


def _holds(dtype: np.dtype[Any], other: np.dtype[Any]) -> bool:
    """Whether numbers of the `other` kind keep their values: no floats among integers, no text."""
    return dtype == other or KINDS.get(other.kind, len(KINDS)) <= KINDS.get(dtype.kind, -1)


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without axes of length 1 in front."""
    first = next((axis for axis, length in enumerate(shape) if length != 1), len(shape))
    return shape[first:]


def _told(value: Any) -> str:
    is_array = isinstance(value, np.ndarray | np.generic)
    return f"{value.dtype} {value.shape}" if is_array else f"a {type(value).__name__}"
