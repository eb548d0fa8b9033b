"""What most demonstrations agree on: the reference with which each of them is compared."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from s2robot.datasets.problem import Problem
from s2robot.datasets.source import Recorded, SourceEpisode

if TYPE_CHECKING:
    from s2robot.datasets.dataset import Dataset

Signature = tuple[str, tuple[int, ...], bool]


def signature(array: Recorded) -> Signature:
    """What an array must have in common with that of other demonstrations; also whether it has rows."""
    return array.kind, array.shape, array.rows > 0


def usual_arrays(episodes: Iterable[SourceEpisode]) -> dict[str, Recorded]:
    """Each array, sorted by its key, as most episodes that have it declare it.

    Where two declarations are equally frequent, the one that can be used goes first.
    """
    mappings: dict[int, Mapping[str, Recorded]] = {}  # many episodes may share one
    times: Counter[int] = Counter()
    for episode in episodes:
        mappings.setdefault(id(episode.arrays), episode.arrays)
        times[id(episode.arrays)] += 1
    votes: dict[str, Counter[Signature]] = {}
    examples: dict[tuple[str, Signature], Recorded] = {}
    for number, arrays in mappings.items():
        for key, array in arrays.items():
            votes.setdefault(key, Counter())[signature(array)] += times[number]
            examples.setdefault((key, signature(array)), array)
    return {key: examples[key, _usual(votes[key])] for key in sorted(votes)}


def _usual(votes: Counter[Signature]) -> Signature:
    return max(votes, key=lambda one: (votes[one], one[0] != "other"))


def names_of_numbers(dataset: "Dataset") -> tuple[list[Problem], list[Problem]]:
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
