"""Several runs in order of their success, with intervals, and the paired comparison with the best."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from s2robot.errors import UserError
from s2robot.evaluation.comparison import Comparison, compare
from s2robot.evaluation.pages.evaluations import Evaluation
from s2robot.evaluation.pages.runs import Run
from s2robot.evaluation.pages.settings import over_seeds


@dataclass(frozen=True)
class Row:
    """A run with the evaluation that speaks for it, and its place on the page."""

    run: Run
    label: str  # its folder, from that of the page
    href: str  # of its own page
    main: Evaluation | None

    @property
    def rate(self) -> float | None:
        return None if self.main is None else self.main.summary.success_rate


@dataclass(frozen=True)
class Repeated:
    """Trainings that differ in their seed alone."""

    label: str
    rows: Sequence[Row]  # those that were evaluated
    rate: float  # mean over the trainings
    interval: tuple[float, float]  # 95%, of Student's t over the trainings

    @property
    def rates(self) -> list[float]:
        return [row.main.summary.success_rate for row in self.rows if row.main is not None]


@dataclass(frozen=True)
class Paired:
    """A run beside the best one."""

    row: Row
    comparison: Comparison | None  # of the best with it
    why: str  # there is none

    @property
    def difference(self) -> float:
        """How much higher the success rate of the best is, in percentage points."""
        assert self.comparison is not None
        best, other = self.comparison.success_rates
        return 100 * (best - other)


def ranked(rows: Sequence[Row]) -> list[Row]:
    """The highest success rate first; of equal ones that of more episodes; those without one last."""
    return sorted(rows, key=_order)


def repeated(rows: Sequence[Row]) -> list[Repeated]:
    """The settings that were trained with several seeds and evaluated in one environment, the best first."""
    row_of = {id(row.run): row for row in rows}
    found = []
    for group in over_seeds([row.run for row in rows]):
        members = [row_of[id(run)] for run in group]
        evaluated = [row for row in members if row.main is not None]
        environments = {row.main.summary.env_id for row in evaluated if row.main is not None}
        if len(evaluated) > 1 and len(environments) == 1:
            rates = [row.main.summary.success_rate for row in evaluated if row.main is not None]
            label = ", ".join(row.label for row in evaluated)
            found.append(Repeated(label, evaluated, mean(rates), t_interval(rates)))
    return sorted(found, key=lambda one: -one.rate)


def t_interval(rates: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean of two or more success rates, within [0, 1]."""
    from scipy.stats import t  # slow to import, and rarely needed

    half = t.ppf(0.5 + confidence / 2, len(rates) - 1) * stdev(rates) / math.sqrt(len(rates))
    return max(0.0, mean(rates) - float(half)), min(1.0, mean(rates) + float(half))


def beside_best(rows: Sequence[Row]) -> list[Paired]:
    """Each evaluated run after the first of `ranked` rows, compared with it start by start (McNemar)."""
    evaluated = [row for row in rows if row.main is not None]
    return [_paired(evaluated[0], row) for row in evaluated[1:]]


def _paired(best: Row, other: Row) -> Paired:
    assert best.main is not None and other.main is not None
    for key, name in (("env_id", "environment"), ("env_kwargs", "environment arguments")):
        if best.main.plan.get(key) != other.main.plan.get(key):
            return Paired(other, None, f"not the same {name}")
    try:
        return Paired(other, compare(best.main.episodes, other.main.episodes), "")
    except UserError as error:
        return Paired(other, None, str(error))


def _order(row: Row) -> tuple[float, int, str]:
    if row.main is None:
        return (1.0, 0, row.label)
    return (-row.main.summary.success_rate, -row.main.summary.episodes, row.label)
