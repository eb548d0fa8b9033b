"""One page about several runs: leaderboard, paired comparisons, cost against success, curves.

Each run's own page is written as well; the leaderboard links to it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from s2robot.errors import UserError
from s2robot.evaluation.pages import charts
from s2robot.evaluation.pages.costs import COSTS
from s2robot.evaluation.pages.leaderboard import Row, beside_best, best_of_each, ranked, repeated
from s2robot.evaluation.pages.rendering import write_page
from s2robot.evaluation.pages.runs import Run, find_runs, read_run
from s2robot.evaluation.pages.settings import SEED, by_value, differing, flat
from s2robot.evaluation.report import NAME, main_evaluation, write_run_page

OVERLAID = ("rollout/success_rate", "valid/action_error", "valid/loss", "train/loss")
MOST_LINES = 12  # of the best runs, in a chart


def write_overview(paths: Sequence[Path], out: Path | None = None, embed: bool = False) -> Path:
    """Write a page about the runs in `paths` (runs, or folders of runs) and return its path.

    `out` is a file; by default `report.html` in the folder that holds them all. Runs that cannot be read are
    named on the page and on the terminal; `UserError` if none can, or for a path without runs.
    """
    folders = list({one.resolve(): one for path in paths for one in find_runs(path)}.values())
    target = out or _common(folders, paths) / NAME
    if target.suffix != ".html" or target.is_dir():
        raise UserError(f"--out {target}: expected the name of a file that ends in .html")
    if not target.parent.is_dir():
        raise UserError(f"--out {target}: there is no folder {target.parent}")
    runs, faults = list[Run](), list[str]()
    for folder in folders:
        try:
            run = read_run(folder)
            write_run_page(run, embed)
        except UserError as error:
            faults.append(str(error))
            print(f"warning: left out: {error}")
            continue
        runs.append(run)
    if not runs:
        raise UserError(faults[0])
    rows = ranked([_row(run, target.parent) for run in runs])
    options = differing(runs)
    return write_page(
        target,
        "overview.html.j2",
        title=target.parent.resolve().name,
        rows=rows,
        best=best_of_each(rows),
        options=options,
        settings={id(run): flat(run.config) for run in runs},
        costs=[cost for cost in COSTS if any(cost.of(run) is not None for run in runs)],
        repeated=repeated(rows),
        paired=beside_best(rows),
        variations=_variations(rows),
        values={key: by_value(key, _rates(rows)) for key in options if key != SEED},
        scatters=_scatters(rows),
        curves=_curves(rows),
        cost_legend=charts.legend(row.label for row in rows[:MOST_LINES] if row.main is not None),
        run_legend=charts.legend(row.label for row in rows[:MOST_LINES]),
        most_lines=MOST_LINES,
        faults=faults,
    )


def _common(folders: Sequence[Path], paths: Sequence[Path]) -> Path:
    if len(paths) == 1:
        return paths[0]
    return Path(os.path.relpath(os.path.commonpath([folder.resolve().parent for folder in folders])))


def _row(run: Run, base: Path) -> Row:
    place = os.path.relpath(run.folder.resolve(), base.resolve())
    return Row(run, place, quote(f"{place}/{NAME}"), main_evaluation(run.evaluations))


def _rates(rows: Sequence[Row]) -> list[tuple[Run, float]]:
    return [(row.run, row.rate) for row in rows if row.rate is not None]


def _variations(rows: Sequence[Row]) -> list[str]:
    """The names of evaluations, if there are several: the columns of success by variation."""
    names = list(dict.fromkeys(one.name for row in rows for one in row.run.evaluations))
    return names if len(names) > 1 else []


def _scatters(rows: Sequence[Row]) -> list[tuple[str, Markup]]:
    """Success against each cost that two runs or more recorded, each in its colour of the legend."""
    found = []
    for cost in COSTS:
        dots = [
            charts.Dot(row.label, value, row.main.summary.success_rate, *row.main.summary.ci95, i, row.href)
            for i, row in enumerate(rows)
            if row.main is not None and (value := cost.of(row.run)) is not None
        ]
        if len(dots) > 1:
            found.append((cost.name, charts.scatter(dots, cost.name, cost.unit)))
    return found


def _curves(rows: Sequence[Row]) -> list[tuple[str, Markup]]:
    """A chart for each quantity with a line for each run, in the same colour everywhere."""
    shown = rows[:MOST_LINES]
    colours = {row.label: i for i, row in enumerate(shown)}
    found = []
    for name in OVERLAID:
        lines = {
            row.label: [(line["step"], line[name]) for line in row.run.metrics if name in line]
            for row in shown
        }
        if lines := {label: points for label, points in lines.items() if points}:
            percent = name.endswith("success_rate")
            found.append(
                (name.replace("_", " "), charts.curves(lines, percent=percent, colours=colours, legend=False))
            )
    return found
