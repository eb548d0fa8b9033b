"""What most demonstrations agree on: the reference with which each of them is compared."""

from collections import Counter
from collections.abc import Iterable, Mapping

from s2robot.datasets.source import Recorded, SourceEpisode

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
