"""How much better one policy is than another: an interval, McNemar's test, Holm's correction."""

import math
from collections.abc import Sequence

from s2robot.evaluation.success_rate import wilson_interval


def mcnemar_p(only_a: int, only_b: int) -> float:
    """Two-sided p-value of McNemar's exact test, from the numbers of pairs that one of two alone solved.

    The discordant pairs of two equally good policies are tosses of a fair coin; twice the smaller tail,
    at most 1. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947).
    """
    pairs, fewer = only_a + only_b, min(only_a, only_b)
    tail = sum(math.comb(pairs, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / 2**pairs)


def paired_interval(both: int, only_a: int, only_b: int, neither: int) -> tuple[float, float]:
    """95% interval of rate(b) - rate(a) from paired episodes, within [-1, 1].

    Method 10 of Newcombe, "Improved confidence intervals for the difference between binomial proportions
    based on paired data", Statistics in Medicine 17 (1998): Wilson's interval of each rate, put together
    with the correlation of the pairs. Raises `ValueError` without episodes.
    """
    n = both + only_a + only_b + neither
    solved_a, solved_b = both + only_a, both + only_b
    rate_a, rate_b = solved_a / max(n, 1), solved_b / max(n, 1)
    low_a, high_a = wilson_interval(solved_a, n)
    low_b, high_b = wilson_interval(solved_b, n)
    phi = _correlation(both, only_a, only_b, neither)
    difference = rate_b - rate_a
    below = _put_together(rate_b - low_b, high_a - rate_a, phi)
    above = _put_together(high_b - rate_b, rate_a - low_a, phi)
    return max(-1.0, difference - below), min(1.0, difference + above)


def _put_together(of_b: float, of_a: float, phi: float) -> float:
    """Distance of the difference's limit, from those of the two rates' limits."""
    return math.sqrt(max(0.0, of_b**2 - 2 * phi * of_b * of_a + of_a**2))


def _correlation(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Newcombe's phi: the correlation of the pairs, with a continuity correction where it is positive."""
    n = both + only_a + only_b + neither
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if product == 0:
        return 0.0
    excess = float(both * neither - only_a * only_b)
    if excess > 0:
        excess = max(excess - n / 2, 0.0)
    return excess / math.sqrt(product)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values that hold for all of several tests together.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian J. of Statistics 6 (1979).
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
