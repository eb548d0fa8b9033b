"""One policy trained several times: what the seed of training changes, beside what the starts change.

The mean over trainings has Student's t interval; the interquartile mean leaves out the best and the worst
quarter (Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice", 2021). The
difference of two policies is bootstrapped over trainings and over starts, which all of them share.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy import stats

BOOTSTRAPS = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Trainings:
    """Success rates of trainings that differ in their seed only."""

    rates: list[float]
    mean: float
    ci95: tuple[float, float] | None  # Student's t over trainings, within [0, 1]; none for one training
    interquartile_mean: float


def over_trainings(rates: Sequence[float]) -> Trainings:
    """Sum up the success rates of at least one training."""
    mean = float(np.mean(rates))
    interval = None
    if len(rates) > 1:
        half = stats.t.ppf(0.5 + CONFIDENCE / 2, len(rates) - 1) * stats.sem(rates)
        interval = (max(0.0, float(mean - half)), min(1.0, float(mean + half)))
    return Trainings(list(rates), mean, interval, float(stats.trim_mean(rates, 0.25)))


def difference_interval(
    a: Bool[np.ndarray, "trainings_a starts"], b: Bool[np.ndarray, "trainings_b starts"]
) -> tuple[float, float]:
    """95% percentile bootstrap interval of rate(b) - rate(a); trainings and starts are drawn anew.

    Both were evaluated on the same starts, so that the same starts are drawn for both. It repeats to the bit.
    """
    rng = np.random.default_rng(0)
    starts = a.shape[1]
    differences = np.empty(BOOTSTRAPS)
    for i in range(BOOTSTRAPS):
        drawn = rng.integers(starts, size=starts)
        means = []
        for solved in (a, b):
            rows = rng.integers(len(solved), size=len(solved))
            means.append(solved[rows[:, None], drawn].mean())
        differences[i] = means[1] - means[0]
    edge = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(differences, [edge, 100 - edge])
    return float(low), float(high)
