"""Seeds of evaluations: never those of the demonstrations or of the rollouts that chose a checkpoint."""

from collections.abc import Collection

from s2robot.errors import UserError

FIRST_SEED = 100_000  # demonstrations are collected with small seeds


def evaluation_seeds(episodes: int, training: Collection[int] = (), start: int = FIRST_SEED) -> list[int]:
    """`episodes` seeds from `start` on; raises `UserError` if one of them was used in training."""
    seeds = list(range(start, start + episodes))
    shared = sorted(set(seeds).intersection(training))
    if shared:
        raise UserError(
            f"{len(shared)} evaluation seeds were trained on or chose the checkpoint"
            f" (the first is {shared[0]}); start above {max(training)}"
        )
    return seeds
