"""`report.html`: the page of a run, made from the files of its folder and nothing else.

It opens offline: style, script and charts are inside; the videos are linked by their path within the
folder, or are inside as well.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from s2robot.evaluation.pages import charts
from s2robot.evaluation.pages.again import commands, first_evaluation
from s2robot.evaluation.pages.evaluations import Evaluation
from s2robot.evaluation.pages.facts import facts, subtitle
from s2robot.evaluation.pages.rendering import write_page
from s2robot.evaluation.pages.runs import Run, read_run
from s2robot.evaluation.pages.validation import section, share_of_range, titles
from s2robot.evaluation.pages.videos import films, grid_source

NAME = "report.html"
# quantities that say how the training went and not what the policy is worth: shown folded away
OF_THE_OPTIMISER = ("gradient_norm", "learning_rate", "samples_per_s", "waiting_for_data")


def write_report(run_dir: Path, embed: bool = False) -> Path:
    """Write `run_dir/report.html` and return its path; `embed` puts the videos inside.

    A run that was not evaluated yet has a page as well. Raises `UserError` for a folder that holds no run,
    and naming the file that is damaged.
    """
    return write_run_page(read_run(run_dir), embed)


def write_run_page(run: Run, embed: bool = False) -> Path:
    """The page of a run that was read; see `write_report`."""
    main = main_evaluation(run.evaluations)
    actions = [] if run.validation is None else titles(run.validation)
    return write_page(
        run.folder / NAME,
        "run.html.j2",
        run=run,
        main=main,
        evaluations=[main, *(one for one in run.evaluations if one is not main)] if main else [],
        films={one.name: films(one, embed, actions) for one in run.evaluations},
        grids={one.name: grid_source(one, embed) for one in run.evaluations},
        subtitle=subtitle(run),
        facts=facts(run),
        commands=commands(run),
        first_evaluation=first_evaluation(run),
        curves=run_curves(run),
        validation=None if run.validation is None else section(run.validation),
        share_of_range=share_of_range,
    )


def main_evaluation(evaluations: Sequence[Evaluation]) -> Evaluation | None:
    """The one that speaks for a run: `default`, else the one with the most episodes."""
    ranked = sorted(evaluations, key=lambda one: (one.name == "default", len(one.episodes)))
    return ranked[-1] if ranked else None


def run_curves(run: Run) -> dict[str, list[tuple[str, Markup]]]:
    """Charts of two kinds, `judged` and `optimiser`: names and HTML, `train/loss` and `valid/loss` in one."""
    marks = {} if run.best_step is None else {"best": float(run.best_step)}
    charts_of = defaultdict[str, list[tuple[str, Markup]]](list)
    for quantity, groups in quantities(run.metrics).items():
        chart = charts.curves(groups, marks=marks, percent=quantity == "success_rate")
        kind = "optimiser" if quantity in OF_THE_OPTIMISER else "judged"
        charts_of[kind].append((quantity.replace("_", " "), chart))
    return charts_of


def quantities(lines: Sequence[Mapping[str, float]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Quantity -> group -> points: `train/loss` is the group `train` of `loss`."""
    points: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        for name, value in line.items():
            if name != "step":
                group, _, quantity = name.rpartition("/")
                points[quantity][group].append((line["step"], value))
    return {quantity: dict(groups) for quantity, groups in points.items()}
