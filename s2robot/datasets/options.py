"""Options of a dataset."""

import math
from dataclasses import dataclass
from typing import Any

from s2robot.config import MISSING, option
from s2robot.errors import UserError, unknown_name

ORIENTATIONS = ("upright", "flipped_rows", "rotated_180")


@dataclass
class DataConfig:
    """The demonstrations, and what of them the policy may see. Privileged state never is."""

    path: Any = option(
        MISSING, "demonstrations: a file, a folder, a glob in quotes, or a list [a.hdf5,b.hdf5]"
    )
    format: str = option("auto", "auto, or a format: robomimic, aloha, lerobot")
    cameras: Any = option(
        None,
        "cameras by name or key, or {name: key}; null: every array of colour frames; []: none",
        mapping=True,
    )
    proprio: Any = option(
        None,
        "keys of the proprioception, or {name: key}; null: robosuite's robot0_eef_pos, robot0_eef_quat, "
        "robot0_gripper_qpos, else observation.state, else qpos",
        mapping=True,
    )
    actions: Any = option(
        None,
        "keys of the actions, side by side, or {name: key}; null: the format's usual key",
        mapping=True,
    )
    absolute: bool | None = option(
        None, "whether actions are absolute poses; null: as the file says, unclear cases are refused"
    )
    orientation: Any = option(
        None,
        "how frames are stored: upright, flipped_rows, rotated_180, or {camera: one of them}; null: as the "
        "format or the family of datasets says, else upright",
        mapping=True,
    )
    train: str | None = option("train", "filter key (mask/<key>) of the training demonstrations; null: all")
    valid: str | None = option(
        "valid", "filter key (mask/<key>) of the validation demonstrations; null: none"
    )
    task: str | None = option(None, "only demonstrations of this task text; null: of all")
    weights: Any = option(
        None, "of several datasets: share of the training windows of each, e.g. [1,3]; null: by their length"
    )
    tolerance_s: float | None = option(
        None,
        "how far a video's frame may be from the time stamp of its row, in seconds; null: half a frame",
    )
    allow_links: Any = option(
        None, "folders outside of the dataset's own in which links in its files may end"
    )

    def check(self) -> None:
        """Raise `UserError` for options that cannot be."""
        for name in ("cameras", "proprio", "actions"):
            if not _is_mapping_or_list(getattr(self, name)):
                raise UserError(
                    f"data.{name}={getattr(self, name)!r} is neither a list of keys [a,b] nor {{name: key}}"
                )
        if not (isinstance(self.path, str) or _is_list(self.path, str)) or not self.path:
            raise UserError(f"data.path={self.path!r} is no path and no list of paths [a.hdf5,b.hdf5]")
        if self.weights is not None:
            numbers = (
                _is_list(self.weights, int | float)
                and not any(isinstance(weight, bool) for weight in self.weights)
                and all(0 <= weight < math.inf for weight in self.weights)
            )
            if not numbers or not sum(self.weights) > 0:
                raise UserError(
                    f"data.weights={self.weights!r} is no list of numbers of which some are above 0"
                )
        if self.tolerance_s is not None and not self.tolerance_s >= 0:
            raise UserError(f"data.tolerance_s={self.tolerance_s!r} is no number of seconds from 0 on")
        if self.allow_links is not None and not _is_list(self.allow_links, str):
            raise UserError(f"data.allow_links={self.allow_links!r} is no list of folders [a,b]")
        check_orientation("data.orientation", self.orientation)


def check_orientation(option: str, value: object) -> None:
    """Raise `UserError` unless this is an orientation, `{camera: orientation}` or None."""
    for orientation in value.values() if isinstance(value, dict) else [value]:
        if orientation not in (None, *ORIENTATIONS):
            raise unknown_name(option, str(orientation), ORIENTATIONS)


def _is_list(value: object, of: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, of) for one in value)


def _is_mapping_or_list(value: object) -> bool:
    if isinstance(value, dict):
        return all(_is_key(key) and _is_key(name) for name, key in value.items())
    several = value if isinstance(value, list | tuple) else [value]
    return value is None or all(_is_key(one) for one in several)


def _is_key(value: object) -> bool:
    """A word, or a number that is one: cameras may be called by their serial numbers."""
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def keys_as_text(value: Any) -> Any:
    """A list or a mapping of keys with numbers as words; one key as a list of it."""
    if isinstance(value, dict):
        return {str(name): str(key) for name, key in value.items()}
    if value is None:
        return None
    return [str(key) for key in (value if isinstance(value, list | tuple) else [value])]
