"""Arrays that training does not use: rewards, states, time stamps. They have a row for each step, too."""

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.problem import Problem, told_by
from s2robot.errors import UserError

ALWAYS = ("rewards", "dones", "states")  # such arrays by robomimic's format


def wrong_rows(rows: int, length: int) -> str:
    """What is wrong with the number of rows of an array beside `length` actions, "" if nothing is."""
    if rows in (length, length + 1):
        return ""
    return f"found {rows} rows, expected {length}, one for each action (or one more at the end)"


def is_stepwise(dataset: Dataset, key: str) -> bool:
    """Whether an array has a row for each action in all episodes that have it."""
    pairs = zip(dataset.records, dataset.lengths, strict=True)
    having = ((one, length) for one, length in pairs if key in one.recorded.arrays)
    return not any(wrong_rows(one.recorded.arrays[key].rows, length) for one, length in having)


def uneven(dataset: Dataset) -> dict[str, list[Problem]]:
    """The unused arrays of numbers that break this in some episodes, by key, with their faults.

    An array should have a row for each step if the format says so, or if it has in most episodes.
    """
    found: dict[str, list[Problem]] = {}
    for key in _unused(dataset):
        faults = [
            (one, wrong_rows(one.recorded.arrays[key].rows, length))
            for one, length in zip(dataset.records, dataset.lengths, strict=True)
            if key in one.recorded.arrays and dataset.has_time(one)
        ]
        odd = [dataset.problem(one, key, told) for one, told in faults if told]
        if odd and (key.rpartition("/")[2] in ALWAYS or 2 * len(odd) < len(faults)):
            found[key] = odd
    return found


def unfit(dataset: Dataset) -> dict[str, list[Problem]]:
    """The unused arrays of numbers that cannot be carried into another format, by key, with their faults.

    They are `uneven`, or cannot be read: rows without a value or of differing lengths, damaged chunks. All of
    them are read for this.
    """
    found = uneven(dataset)
    for key in _unused(dataset):
        faults = [] if key in found else _unreadable(dataset, key)
        if faults:
            found[key] = faults
    return found


def _unused(dataset: Dataset) -> list[str]:
    used = {*dataset.action_keys.values(), *dataset.proprio_keys.values()}
    return [key for key, one in dataset.keys.arrays.items() if one.kind == "numbers" and key not in used]


def _unreadable(dataset: Dataset, key: str) -> list[Problem]:
    """A fault for the first episode in which an array cannot be read."""
    for one in dataset.records:
        found = one.recorded.arrays.get(key)
        if found is not None and found.kind != "numbers":
            told = f"found {found.describe() if found.dtype else found.note}, expected numbers as in most"
            return [dataset.problem(one, key, told)]
        if found is not None:
            try:
                one.source.read(one.number, key)
            except UserError as error:
                return [told_by(error, one.recorded.file, one.recorded.name, key)]
    return []
