"""What can be wrong with the arrays that are used, found before anything is encoded."""

from collections.abc import Iterator

import numpy as np

from s2robot.datasets.action_checks import copied, declared, meaning
from s2robot.datasets.agreement import signature
from s2robot.datasets.chosen import chosen, readable, unreadable
from s2robot.datasets.dataset import Dataset, Episode
from s2robot.datasets.inflated import inflated
from s2robot.datasets.masks import masks
from s2robot.datasets.names import names_of_numbers
from s2robot.datasets.numbers import numbers
from s2robot.datasets.problem import Problem, counted
from s2robot.datasets.quaternions import quaternions
from s2robot.datasets.scales import scales
from s2robot.datasets.source import Recorded
from s2robot.datasets.stepwise import wrong_rows


def structure(dataset: Dataset) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings about rows and shapes of each used array of each episode.

    What most episodes have is expected of all.
    """
    longer: list[Problem] = []
    used, errors = _used(dataset)
    for one, length in zip(dataset.records, dataset.lengths, strict=True):
        for key, first in used.items():
            if not dataset.has_time(one) and key not in dataset.action_keys.values():
                continue  # nobody knows how many rows it should have
            found, expected = one.recorded.arrays.get(key), first.recorded.arrays[key]
            problem = _fault(found, expected, length, key in dataset.action_keys.values())
            if found is not None and found.broken:
                errors.append(dataset.problem(one, key, unreadable(dataset, key, found)))
            elif problem:
                if found is None or found.shape != expected.shape:
                    problem += f" ({first.recorded.file}, {first.recorded.name})"
                errors.append(dataset.problem(one, key, problem))
            elif found is not None and found.rows == length + 1:
                longer.append(_longer(dataset, one, key, length))
    swapped, renamed = names_of_numbers(dataset)
    return errors + swapped or inflated(dataset), _once(longer) + renamed


def _used(dataset: Dataset) -> tuple[dict[str, Episode], list[Problem]]:
    """The first episode that has each used array as most have it, and an error where few have one at all."""
    keys = [*dataset.action_keys.values(), *dataset.proprio_keys.values()]
    keys += [camera.key for camera in dataset.cameras.values()]
    used, rare = {}, []
    for key in keys:
        having = [one for one in dataset.records if key in one.recorded.arrays]
        if 2 * len(having) < len(dataset.records):
            problem = f"only {len(having)} of {len(dataset.records)} demonstrations have it"
            rare += [dataset.problem(one, key, problem) for one in having]
            continue
        usual = signature(dataset.keys.arrays[key])
        used[key] = next(one for one in having if signature(one.recorded.arrays[key]) == usual)
    return used, rare


def _fault(found: Recorded | None, expected: Recorded, length: int, is_action: bool) -> str:
    """What is wrong with an array, "" if nothing is."""
    if found is None:
        return "it is not there, and another demonstration has it"
    if found.kind == "other" and not found.rows and found.note:
        return f"{found.note} (found {found.dtype or 'nothing'}, expected {_row(expected)})"
    if found.kind != expected.kind or found.kind == "other":
        return f"found {found.describe()}, expected {_row(expected)}; {found.note}".removesuffix("; ")
    if found.shape != expected.shape:
        return f"found rows of shape {found.shape}, expected {expected.shape} as in another demonstration"
    if not np.prod(found.shape):
        return f"found rows of shape {found.shape}, which hold nothing"
    if is_action and np.prod(found.shape) != max(found.shape, default=1):
        return f"found actions of shape {found.shape} a step, expected one action, a vector of numbers"
    if is_action and found.rows != length:
        return f"found {found.rows} rows, expected {length} as in the first array of the actions"
    return "" if is_action else wrong_rows(found.rows, length)


def _row(expected: Recorded) -> str:
    return "frames" if expected.kind == "frames" else "numbers"


def _longer(dataset: Dataset, one: Episode, key: str, length: int) -> Problem:
    return dataset.problem(
        one,
        key,
        f"found {length + 1} rows for {length} actions; the last, after the last action, is left out",
    )


def _once(problems: list[Problem]) -> list[Problem]:
    """Of the same fault of many episodes the first, with their number."""
    by_key: dict[str, list[Problem]] = {}
    for problem in problems:
        by_key.setdefault(problem.key, []).append(problem)
    return [counted(same) for same in by_key.values()]


# Each gives errors and warnings; later ones rely on what the earlier ones found right.
OF_NUMBERS = (declared, chosen, numbers, meaning, copied, quaternions, scales)
CHECKS = (structure, masks, readable, *OF_NUMBERS)


def all_of(dataset: Dataset) -> Iterator[tuple[list[Problem], list[Problem]]]:
    """Errors and warnings of each group of checks."""
    return (check(dataset) for check in CHECKS)
