"""How an environment reports whether an episode has succeeded."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from s2robot.errors import UserError

KEYS = ("success", "is_success")
ROBOMIMIC_KEY = "task"  # of the dictionary that robomimic's `is_success` returns
ACCEPTED = (
    "a bool, the number 0 or 1, an array with one such element, or robomimic's "
    "dictionary with such a value under 'task'"
)


def success_of(info: Mapping[str, Any]) -> bool | None:
    """The success in a step's `info`, under `success` or `is_success`; None if it has neither key.

    Raises `UserError` for a value that is neither true nor false without doubt, such as a text or a vector.
    """
    for key in KEYS:
        if key in info:
            return _truth(info[key], key)
    return None


class EpisodeSuccess:
    """Whether an episode has succeeded: it has when one of its steps reports success."""

    def __init__(self, env_id: str) -> None:
        self.env_id = env_id
        self._reported: bool | None = None

    def note(self, info: Mapping[str, Any]) -> None:
        """Read a step's `info`. Raises `UserError` as `success_of` does, with the environment's id."""
        try:
            reported = success_of(info)
        except UserError as error:
            raise UserError(f"{self.env_id}: {error}") from error
        if reported is not None:
            self._reported = reported or bool(self._reported)

    def result(self) -> bool:
        """The outcome at the episode's end. Raises `UserError` if no step reported it."""
        if self._reported is None:
            raise UserError(
                f"{self.env_id} has no info['success'] or info['is_success'] in any step of an episode; one "
                f"of them, at least in the last step, must be {ACCEPTED}"
            )
        return self._reported


def _truth(value: Any, key: str) -> bool:
    found = value.get(ROBOMIMIC_KEY) if isinstance(value, Mapping) else value
    if isinstance(found, bool | int | float) and found in (0, 1):
        return bool(found)
    if isinstance(found, np.ndarray | np.generic) and found.size == 1 and found.dtype.kind in "biuf":
        number = found.item()
        if number in (0, 1):
            return bool(number)
    raise UserError(f"info[{key!r}] is {value!r}; it must be {ACCEPTED}")
