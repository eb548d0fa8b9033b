"""Several runs in order of their success, with intervals, and paired comparisons with the best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from s2robot.errors import UserError
from s2robot.evaluation.comparison import Comparison, compare
from s2robot.evaluation.difference import holm
from s2robot.evaluation.pages.evaluations import Evaluation
from s2robot.evaluation.pages.runs import Run
from s2robot.evaluation.pages.settings import over_seeds

if TYPE_CHECKING:
    from s2robot.evaluation.trainings import Trainings


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

    @property
    def environment(self) -> str:
        """Its id, as far as the run was evaluated."""
        return "" if self.main is None else self.main.summary.env_id


@dataclass(frozen=True)
class Repeated:
    """Runs that differ in the seed of training alone, those of them that were evaluated."""

    rows: Sequence[Row]
    trainings: "Trainings"


@dataclass(frozen=True)
class Paired:
    """A run beside the best one of its environment."""

    row: Row
    best: Row
    comparison: Comparison | None  # of this one with the best
    why: str  # there is none
    p_value: float | None = None  # that holds for all comparisons of the page together


def ranked(rows: Sequence[Row]) -> list[Row]:
    """The highest success rate first; of equal ones that of more episodes; those without one last."""
    return sorted(rows, key=_order)


def repeated(rows: Sequence[Row]) -> list[Repeated]:
    """The settings that were trained with several seeds and evaluated in one environment, the best first."""
    from s2robot.evaluation.trainings import over_trainings  # scipy, which is slow to import

    row_of = {id(row.run): row for row in rows}
    found = []
    for group in over_seeds([row.run for row in rows]):
        members = [row_of[id(run)] for run in group]
        evaluated = [row for row in members if row.main is not None]
        environments = {row.main.summary.env_id for row in evaluated if row.main is not None}
        if len(evaluated) > 1 and len(environments) == 1:
            rates = [row.rate for row in evaluated if row.rate is not None]
            found.append(Repeated(evaluated, over_trainings(rates)))
    return sorted(found, key=lambda one: -one.trainings.mean)


def best_of_each(rows: Sequence[Row]) -> list[Row]:
    """The first of `ranked` rows of each environment."""
    found: dict[str, Row] = {}
    for row in rows:
        if row.main is not None:
            found.setdefault(row.environment, row)
    return list(found.values())


def beside_best(rows: Sequence[Row]) -> list[Paired]:
    """Each other evaluated run of `ranked` rows, compared with its environment's best start by start."""
    best = {row.environment: row for row in best_of_each(rows)}
    evaluated = [row for row in rows if row.main is not None]
    found = [_paired(best[row.environment], row) for row in evaluated if row is not best[row.environment]]
    tested = [one.comparison.p_value for one in found if one.comparison is not None]
    corrected = iter(holm(tested))
    return [one if one.comparison is None else replace(one, p_value=next(corrected)) for one in found]


def _paired(best: Row, other: Row) -> Paired:
    assert best.main is not None and other.main is not None
    if best.main.plan.get("env_kwargs") != other.main.plan.get("env_kwargs"):
        return Paired(other, best, None, "not the same environment arguments")
    try:
        return Paired(other, best, compare(other.main.episodes, best.main.episodes), "")
    except UserError as error:
        return Paired(other, best, None, str(error))


def _order(row: Row) -> tuple[float, int, str]:
    if row.main is None:
        return (1.0, 0, row.label)
    return (-row.main.summary.success_rate, -row.main.summary.episodes, row.label)
