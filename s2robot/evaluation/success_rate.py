"""A success rate and its confidence interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from s2robot.rollouts.results import EpisodeResult


@dataclass(frozen=True)
class Summary:
    """The content of `summary.json`."""

    env_id: str
    episodes: int
    successes: int
    success_rate: float
    ci95: tuple[float, float]  # Wilson
    wall_s: float  # of this run, start to end; an interrupted run's time is not in it
    decision_ms: float | None = None  # median time of the policy with its encoders, for one episode


def wilson_interval(successes: int, episodes: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a success rate, within [0, 1]; holds for rates near 0 and 1 as well.

    Raises `ValueError` unless 0 <= successes <= episodes and episodes > 0. Wilson, "Probable inference,
    the law of succession, and statistical inference", JASA 22 (1927).
    """
    if not 0 <= successes <= episodes or episodes == 0:
        raise ValueError(f"no success rate in {successes} successes of {episodes} episodes")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = successes / episodes
    centre = rate + z * z / (2 * episodes)
    half = z * math.sqrt(rate * (1 - rate) / episodes + (z / (2 * episodes)) ** 2)
    scale = 1 + z * z / episodes
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def summarise(
    env_id: str, results: Sequence[EpisodeResult], wall_s: float, decision_ms: float | None = None
) -> Summary:
    """Success rate and interval of finished episodes."""
    successes = sum(result.success for result in results)
    rate = successes / len(results)
    interval = wilson_interval(successes, len(results))
    measured = None if decision_ms is None else round(decision_ms, 3)
    return Summary(env_id, len(results), successes, rate, interval, round(wall_s, 3), measured)
