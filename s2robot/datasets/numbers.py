"""Checks of the numbers that are used: finite, without outliers, of a kind that can be trained on."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.problem import Problem
from s2robot.errors import number_of

FAR = 10.0  # robust ranges that an outlier is away from the robust range
STEPS = 10  # of float32 that the range of a column has at least
RESTING = 0.01  # of the median range in an episode; below, a column rests
ROUNDING = 64  # steps of float64 that a constant which was computed may vary by
ROBUST = (1, 99)  # percentiles of the robust range


def numbers(dataset: Dataset) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings about the numbers of actions and proprioception."""
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for key in dict.fromkeys([*dataset.action_keys.values(), *dataset.proprio_keys.values()]):
        values = dataset.numbers(key)
        if not np.isfinite(values).all():
            errors += _not_finite(dataset, key, values)
        else:
            warnings += _too_fine(dataset, key) + _outliers(dataset, key, values)
    return errors, warnings


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
        stored = one.source.read(one.number, key, int(row), int(row) + 1).reshape(-1)[column]
        expected = "a number that float32 can hold" if np.isfinite(stored) else "a finite number"
        found = f"row {row}, column {column} is {stored:.6g}"
        errors.append(dataset.problem(one, key, f"{found}, expected {expected}{more}"))
    return errors


def _too_fine(dataset: Dataset, key: str) -> list[Problem]:
    """A warning where numbers of an episode differ by less than float32, which training uses, can tell apart.

    Not where they differ by little beside what the column does in other episodes: a joint that rests.
    """
    low, high = dataset.stored_ranges(key)
    largest, extent = np.maximum(np.abs(low), np.abs(high)), high - low
    step = np.spacing(largest.astype(np.float32)).astype(np.float64)
    real = extent > ROUNDING * np.spacing(largest)
    lost = real & (extent < STEPS * step) & (extent >= RESTING * np.median(extent, axis=0))
    if not lost.any():
        return []
    share = np.where(lost, extent / step, np.inf)
    episode, column = np.unravel_index(share.argmin(), share.shape)
    problem = (
        f"column {column} ranges over [{low[episode, column]:.12g}, {high[episode, column]:.12g}], in "
        f"steps of {step[episode, column]:.2g} once it is float32: most of it is lost; subtract a constant"
    )
    columns, episodes = int(lost.any(0).sum()), int(lost.any(1).sum())
    more = [number_of(columns - 1, "more column")] if columns > 1 else []
    more += [number_of(episodes - 1, "more episode")] if episodes > 1 else []
    problem += f" (and {', '.join(more)})" if more else ""
    return [dataset.problem(dataset.records[int(episode)], key, problem)]


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
