"""Sources used together that seem to count otherwise: metres beside millimetres, 0 and 1 beside -1 and 1."""

import numpy as np

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.problem import Problem

TWO = 2  # values of a switch, a gripper's command
APART = 20  # times as large: radians and degrees are 57 apart, metres and millimetres 1000


def scales(dataset: Dataset) -> tuple[list[Problem], list[Problem]]:
    """No errors; a warning for each array whose largest number in one source is many times another's."""
    warnings: list[Problem] = []
    for key in (*dataset.action_keys.values(), *dataset.proprio_keys.values()):
        largest = np.abs(dataset.stored_ranges(key)).max(axis=(0, 2), initial=0)  # of each episode
        by_part: dict[int, float] = {}
        for one, magnitude in zip(dataset.records, largest.tolist(), strict=True):
            by_part[one.part] = max(magnitude, by_part.get(one.part, 0.0))
        known = {part: magnitude for part, magnitude in by_part.items() if magnitude > 0}
        if len(known) < 2:
            continue
        small, big = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
        if known[big] > APART * known[small]:
            first = {one.part: one for one in reversed(dataset.records)}
            problem = (
                f"numbers up to {known[big]:.4g}, and up to {known[small]:.4g} "
                f"in {first[small].recorded.file}: are their units the same? They are normalised together"
            )
            warnings.append(dataset.problem(first[big], key, problem))
    return [], warnings + _switches(dataset)


def _switches(dataset: Dataset) -> list[Problem]:
    """A warning where a dimension of the actions has two values in each source, and not the same two."""
    actions, keys = dataset.actions(), ", ".join(dataset.action_keys.values())
    parts = np.repeat([one.part for one in dataset.records], dataset.lengths)
    first = {one.part: one for one in reversed(dataset.records)}
    warnings = []
    for column in range(actions.shape[1]):
        values = {part: np.unique(actions[parts == part, column]) for part in sorted(first)}
        known = [(part, found) for part, found in values.items() if len(found) == TWO]
        for part, found in known[1:]:
            reference, expected = known[0]
            if not np.allclose(found, expected):
                problem = (
                    f"column {column} is {found[0]:g} or {found[1]:g}, and {expected[0]:g} or "
                    f"{expected[1]:g} in {first[reference].recorded.file}: is it a gripper's "
                    f"command in two ways? They are normalised together"
                )
                warnings.append(dataset.problem(first[part], keys, problem))
    return warnings
