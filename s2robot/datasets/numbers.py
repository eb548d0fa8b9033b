"""Checks of the numbers that are used: finite, without outliers, of a kind that can be trained on."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.problem import Problem

FAR = 10.0  # robust ranges that an outlier is away from the robust range
ROBUST = (1, 99)  # percentiles of the robust range
ARM = 7  # numbers of one arm's action in robosuite: position 3, rotation 3, gripper 1
JUST_ABOVE = 1e-3  # of rounding, beyond [-1, 1]


def numbers(dataset: Dataset) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings about the numbers of actions and proprioception."""
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for key in dict.fromkeys([*dataset.action_keys.values(), *dataset.proprio_keys.values()]):
        values = dataset.numbers(key)
        if not np.isfinite(values).all():
            errors += _not_finite(dataset, key, values)
        else:
            warnings += _outliers(dataset, key, values)
    first = dataset.records[0]
    for key in dataset.action_keys.values():
        found = dataset.keys.arrays[key]
        if found.dtype.startswith(("int", "uint", "bool")):
            problem = f"actions are integers ({found.dtype}); they are trained on as numbers, not as classes"
            warnings.append(dataset.problem(first, key, problem))
        if len(found.shape) != 1:
            problem = f"actions are of shape {found.shape} a step, used as {dataset.width(key)} numbers"
            warnings.append(dataset.problem(first, key, problem))
    if not errors:
        errors += _unclear(dataset)
        width = dataset.actions().shape[1]
        if dataset.has_known_box and (beyond := outside(dataset, -np.ones(width), np.ones(width))):
            warnings.append(beyond)
    return errors, warnings


def outside(dataset: Dataset, low: Float[np.ndarray, "da"], high: Float[np.ndarray, "da"]) -> Problem | None:
    """A warning when actions leave the box of the environment that will execute them."""
    actions = dataset.actions()
    excess = np.maximum(actions - high, low - actions)
    beyond = (excess > JUST_ABOVE * np.maximum(1, high - low)).any(1)
    if not beyond.any():
        return None
    row, dimension = np.unravel_index(excess.argmax(), excess.shape)
    one, row_inside = dataset.locate(int(row))
    problem = (
        f"{beyond.sum()} of {len(actions)} actions are outside of the environment's box, the worst "
        f"{actions[row, dimension]:.4g} in dimension {dimension} of row {row_inside}, where "
        f"[{low[dimension]:g}, {high[dimension]:g}] is possible; training takes them as they are, "
        f"rollouts clip to the box"
    )
    return dataset.problem(one, ", ".join(dataset.action_keys.values()), problem)


def _not_finite(dataset: Dataset, key: str, values: Float[np.ndarray, "n d"]) -> list[Problem]:
    """An error for each episode with such numbers: where the first is, and how many rows have some."""
    errors = []
    for one, (start, stop) in zip(dataset.records, pairwise(dataset.offsets), strict=True):
        bad = ~np.isfinite(values[start:stop])
        if not bad.any():
            continue
        row, column = np.argwhere(bad)[0]
        rows = int(bad.any(1).sum())
        more = f" ({rows} rows of the episode are like this)" if rows > 1 else ""
        found = f"row {row}, column {column} is {values[start + row, column]}"
        errors.append(dataset.problem(one, key, f"{found}, expected a finite number{more}"))
    return errors


def _outliers(dataset: Dataset, key: str, values: Float[np.ndarray, "n d"]) -> list[Problem]:
    """A warning for each dimension whose range is far beyond that of nearly all its values."""
    low, high = np.percentile(values, ROBUST, axis=0)
    below, above = values.min(0), values.max(0)
    distance = np.maximum(above - high, low - below)
    problems = []
    for column in np.flatnonzero((high > low) & (distance > FAR * (high - low))):
        row = int(np.abs(values[:, column] - (low + high)[column] / 2).argmax())
        one, row_inside = dataset.locate(row)
        problem = (
            f"column {column} ranges over [{below[column]:.4g}, {above[column]:.4g}], 98 % of it over "
            f"[{low[column]:.4g}, {high[column]:.4g}]; farthest in row {row_inside}; "
            f"normalisation takes the whole range"
        )
        problems.append(dataset.problem(one, key, problem))
    return problems


def _unclear(dataset: Dataset) -> list[Problem]:
    """An error where delta actions are declared and the numbers look like absolute poses.

    So are files whose `actions` diffusion_policy's conversion overwrote: positions in metres and rotation
    vectors up to pi, without a word in the file.
    """
    key = dataset.source.actions
    width = dataset.actions().shape[1]
    usual = key is not None and width in (ARM, 2 * ARM)
    if not usual or not dataset.has_known_box or dataset.options.absolute is not None:
        return []
    arms = np.abs(dataset.actions().reshape(-1, width // ARM, ARM))
    position, rotation = arms[..., :3].max(), arms[..., 3:6].max()
    if position > 1 + JUST_ABOVE or rotation <= 1 + JUST_ABOVE:
        return []
    problem = (
        f"rotations up to {rotation:.3g} with positions up to {position:.3g}: env_args declares deltas in "
        f"[-1, 1] and these look like absolute poses; say data.absolute=true or data.absolute=false"
    )
    return [dataset.problem(dataset.records[0], key or "", problem)]
