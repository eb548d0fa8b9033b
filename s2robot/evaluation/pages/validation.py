"""The report's section on the offline validation: errors of each dimension, and some episodes drawn."""

from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup

from s2robot.evaluation.pages import charts
from s2robot.evaluation.validation_file import Dimension, Replayed, Validation

DRAWN = 3  # of the worst episodes; one of medium error is drawn beside them


@dataclass(frozen=True)
class Section:
    """What the template shows."""

    found: Validation
    by_step: Markup | str  # a chart
    drawn: list[tuple[Replayed, Markup]]  # episodes with their charts
    worst: list[Replayed]


def section(found: Validation) -> Section:
    """The section of a run's validation."""
    by_step = {
        title: [(step, 100 * error / (one.high - one.low)) for step, error in enumerate(one.by_step)]
        for title, one in zip(titles(found), found.dimensions, strict=True)
        if not one.constant and one.high > one.low
    }
    kept = sorted((one for one in found.episodes if one.predicted), key=lambda one: -one.relative_error)
    shown = kept[:DRAWN] + kept[DRAWN:][len(kept[DRAWN:]) // 2 :][:1]
    return Section(
        found=found,
        by_step=charts.curves(by_step, "step of the chunk", {"executed before": found.action_steps - 0.5})
        if by_step
        else "",
        drawn=[(one, _drawn(found, one)) for one in shown],
        worst=[found.episode(name) for name in found.worst],
    )


def share_of_range(one: Dimension, error: float) -> str:
    """An error in percent of a dimension's range, as text."""
    return "constant" if one.constant or one.high <= one.low else f"{100 * error / (one.high - one.low):.1f}%"


def titles(found: Validation) -> list[str]:
    """A name for each dimension of the action, no two alike."""
    count = Counter(one.name for one in found.dimensions)
    return [
        one.name if count[one.name] == 1 else f"{one.name} ({i})" for i, one in enumerate(found.dimensions)
    ]


def _drawn(found: Validation, episode: Replayed) -> Markup:
    """Predicted beside demonstrated actions over the steps of an episode, a panel for each dimension."""
    panels = {}
    for i, title in enumerate(titles(found)):
        panels[title] = {
            name: [(step * episode.every, row[i]) for step, row in enumerate(rows)]
            for name, rows in (("demonstrated", episode.demonstrated), ("predicted", episode.predicted))
            if rows
        }
    return charts.beside(panels)
