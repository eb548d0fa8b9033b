"""What the numbers of actions and proprioception are called in sources that are used together."""

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.problem import Problem


def names_of_numbers(dataset: Dataset) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings where sources call the numbers of actions or proprioception otherwise.

    An error for the same names in another order: what one calls x would be trained on as the other's z.
    """
    errors: list[Problem] = []
    warnings: list[Problem] = []
    firsts = list({one.part: one for one in reversed(dataset.records)}.values())[::-1]  # of each source
    for key in (*dataset.action_keys.values(), *dataset.proprio_keys.values()):
        known = [
            (one, found.names) for one in firsts if (found := one.recorded.arrays.get(key)) and found.names
        ]
        for one, names in known[1:]:
            first, expected = known[0]
            if len(names) != len(expected) or names == expected:
                continue
            i = next(i for i, pair in enumerate(zip(names, expected, strict=True)) if pair[0] != pair[1])
            order = sorted(names) == sorted(expected)
            problem = f"number {i} is called {names[i]!r}, and {expected[i]!r} in {first.recorded.file}"
            problem += ": the same numbers in another order" if order else ""
            (errors if order else warnings).append(dataset.problem(one, key, problem))
    return errors, warnings
