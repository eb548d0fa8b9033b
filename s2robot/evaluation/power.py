"""How many episodes an evaluation needs to tell two success rates apart.

Paired: both policies meet the same starts, McNemar's exact test; its power is summed up, not approximated.
Unpaired: different starts, the test of two proportions (Fleiss, Levin, Paik, "Statistical Methods for Rates
and Proportions", 3rd edition, section 4.4; without continuity correction).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from s2robot.errors import UserError

MOST_EPISODES = 100_000


@dataclass(frozen=True)
class Plan:
    """Episodes of each policy that reach the wanted power."""

    p1: float
    p2: float
    power: float
    alpha: float
    correlation: float  # of the two policies' outcomes on the same start
    paired: int
    unpaired: int


def plan(p1: float, p2: float, power: float, alpha: float, correlation: float) -> Plan:
    """Episodes that are needed. Raises `UserError` for rates that cannot be, or are too close."""
    for name, value in (("p1", p1), ("p2", p2), ("power", power), ("alpha", alpha)):
        if not 0 < value < 1:
            raise UserError(f"{name} is {value:g}; it must lie between 0 and 1, e.g. 0.6 for 60%")
    if p1 == p2:
        raise UserError(f"p1 and p2 are both {p1:g}; no number of episodes tells equal rates apart")
    discordant(p1, p2, correlation)
    paired = _fewest(lambda n: paired_power(p1, p2, n, alpha, correlation), power)
    unpaired = _fewest(lambda n: unpaired_power(p1, p2, n, alpha), power)
    return Plan(p1, p2, power, alpha, correlation, paired, unpaired)


def discordant(p1: float, p2: float, correlation: float) -> tuple[float, float]:
    """Chances that only the first and that only the second solves a start.

    Raises `UserError` for a correlation that two such rates cannot have.
    """
    together = p1 * p2 + correlation * math.sqrt(p1 * (1 - p1) * p2 * (1 - p2))
    least, most = max(0.0, p1 + p2 - 1), min(p1, p2)
    if not least - 1e-12 <= together <= most + 1e-12:
        spread = math.sqrt(p1 * (1 - p1) * p2 * (1 - p2))
        low, high = ((limit - p1 * p2) / spread for limit in (least, most))
        raise UserError(
            f"rates of {p1:g} and {p2:g} cannot have a correlation of {correlation:g}; it lies in "
            f"[{low:.2f}, {high:.2f}]"
        )
    return max(0.0, p1 - together), max(0.0, p2 - together)


def paired_power(p1: float, p2: float, episodes: int, alpha: float = 0.05, correlation: float = 0.0) -> float:
    """Chance that McNemar's exact two-sided test has p <= alpha on `episodes` common starts."""
    only_1, only_2 = discordant(p1, p2, correlation)
    share = only_1 + only_2
    if share == 0:
        return 0.0
    pairs = np.arange(episodes + 1)
    chance = stats.binom.pmf(pairs, episodes, share)
    # The largest number of the rarer kind whose doubled tail stays below alpha; -1 where there is none
    limit = stats.binom.ppf(alpha / 2, pairs, 0.5)
    limit = np.where(2 * stats.binom.cdf(limit, pairs, 0.5) <= alpha, limit, limit - 1)
    found = stats.binom.cdf(limit, pairs, only_2 / share) + stats.binom.cdf(limit, pairs, only_1 / share)
    return float(np.sum(chance * np.where(limit >= 0, found, 0.0)))


def unpaired_power(p1: float, p2: float, episodes: int, alpha: float = 0.05) -> float:
    """Chance that the two-sided test of two proportions has p <= alpha with `episodes` of each policy."""
    mean = (p1 + p2) / 2
    z = stats.norm.isf(alpha / 2) * math.sqrt(2 * mean * (1 - mean))
    spread = math.sqrt(p1 * (1 - p1) + p2 * (1 - p2))
    return float(stats.norm.cdf((abs(p1 - p2) * math.sqrt(episodes) - z) / spread))


def _fewest(power_of: Callable[[int], float], wanted: float) -> int:
    """The fewest episodes whose power reaches `wanted`; it grows with them but for a slight sawtooth."""
    low, high = 1, 2
    while power_of(high) < wanted:
        low, high = high, 2 * high
        if low > MOST_EPISODES:
            raise UserError(f"the rates are too close: more than {MOST_EPISODES:,} episodes would be needed")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle) >= wanted else (middle, high)
    return high
