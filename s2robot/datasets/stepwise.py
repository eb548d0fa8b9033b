"""Arrays that have a row for each step although training does not use them: rewards, states, time stamps."""

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.problem import Problem

ALWAYS = ("rewards", "dones", "states")  # such arrays by robomimic's format


def wrong_rows(rows: int, length: int) -> str:
    """What is wrong with the number of rows of an array beside `length` actions, "" if nothing is."""
    if rows in (length, length + 1):
        return ""
    return f"found {rows} rows, expected {length}, one for each action (or one more at the end)"


def uneven(dataset: Dataset) -> dict[str, list[Problem]]:
    """The unused arrays of numbers that break this in some episodes, by key, with their faults.

    An array should have a row for each step if the format says so, or if it has in most episodes.
    """
    used = {*dataset.action_keys.values(), *dataset.proprio_keys.values()}
    found: dict[str, list[Problem]] = {}
    for key, usual in dataset.keys.arrays.items():
        if usual.kind != "numbers" or key in used:
            continue
        faults = [
            (one, wrong_rows(one.recorded.arrays[key].rows, length))
            for one, length in zip(dataset.records, dataset.lengths, strict=True)
            if key in one.recorded.arrays and dataset.has_time(one)
        ]
        odd = [dataset.problem(one, key, told) for one, told in faults if told]
        if odd and (key.rpartition("/")[2] in ALWAYS or 2 * len(odd) < len(faults)):
            found[key] = odd
    return found
