"""`validation.json` of a run folder: the error of predicted actions, without a simulator."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from s2robot.errors import UserError, number_of
from s2robot.files import write_text
from s2robot.runs.plain import build, read_object

NAME = "validation.json"
DIGITS = 5  # of the numbers in the file


@dataclass(frozen=True)
class Dimension:
    """The error of one number of the action, in its own unit, over all executed steps."""

    name: str
    unit: str  # "" where the dataset does not say it
    low: float  # smallest and largest in the dataset
    high: float
    mean_absolute: float
    percentile_90: float  # of the absolute error
    by_step: Sequence[float]  # mean absolute error at each step of the chunk, executed or not
    constant: bool = False  # in the whole dataset, up to noise: no part of relative errors
    gripper_accuracy: float | None = (
        None  # share of steps on the demonstrated side of the middle of its range
    )


@dataclass(frozen=True)
class Replayed:
    """One demonstration, predicted from its own observations."""

    name: str
    steps: int
    relative_error: float  # mean absolute error in parts of each dimension's range, of all dimensions
    mean_absolute: Sequence[float]  # of each dimension, in its unit
    every: int = 1  # one of so many steps is in the arrays below
    demonstrated: Sequence[Sequence[float]] | None = None  # "t da"; None: left out, to keep the file small
    predicted: Sequence[Sequence[float]] | None = None


@dataclass(frozen=True)
class Validation:
    """What `validation.json` holds."""

    step: int  # of the training
    demonstrations: str  # "validation", or "training" where there are no others
    action_steps: int  # executed of each chunk, as in a rollout
    relative_error: float
    dimensions: Sequence[Dimension]
    episodes: Sequence[Replayed]  # in the order of the dataset
    worst: Sequence[str]  # names of the episodes with the largest relative error, the worst first

    @property
    def gripper_accuracy(self) -> float | None:
        """Mean over the grippers; None where no dimension is known to be one."""
        known = [one.gripper_accuracy for one in self.dimensions if one.gripper_accuracy is not None]
        return sum(known) / len(known) if known else None

    def summary(self) -> str:
        """A line for the terminal."""
        replayed = number_of(len(self.episodes), f"{self.demonstrations} demonstration")
        gripper = self.gripper_accuracy
        right = "" if gripper is None else f", gripper right in {gripper:.1%}"
        error = f"error {self.relative_error:.1%} of the actions' range"
        return f"{replayed} replayed open loop: {error}{right}, worst {', '.join(self.worst)}"

    def episode(self, name: str) -> Replayed:
        """The episode of this name."""
        return next(one for one in self.episodes if one.name == name)


def write_validation(run_dir: Path, validation: Validation) -> Path:
    """Write the file, complete or not at all; returns its path."""
    path = run_dir / NAME
    write_text(path, json.dumps(_rounded(asdict(validation))) + "\n")
    return path


def read_validation(run_dir: Path) -> Validation | None:
    """The validation of a run; None where there was none. Raises `UserError` for another content."""
    path = run_dir / NAME
    if not path.exists():
        return None
    found = build(Validation, read_object(path), str(path))
    if missing := sorted(set(found.worst) - {one.name for one in found.episodes}):
        raise UserError(f"{path}: worst names {missing[0]!r}, which is none of its episodes")
    _check_widths(found, path)
    return found


def _check_widths(found: Validation, path: Path) -> None:
    """Raise `UserError` unless every row of actions has a number for each dimension."""
    width = len(found.dimensions)
    for one in found.episodes:
        for rows in (one.predicted or [], one.demonstrated or []):
            if wrong := [row for row in rows if len(row) != width]:
                raise UserError(
                    f"{path}: episode {one.name!r} has actions of {len(wrong[0])} numbers, "
                    f"expected {width} (its dimensions)"
                )


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value
