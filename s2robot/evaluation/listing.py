"""Runs as lines of a table: how far each is, how well it did, how long it took. Imports no PyTorch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s2robot.errors import UserError
from s2robot.evaluation.pages.facts import number, pick
from s2robot.evaluation.pages.rendering import duration
from s2robot.evaluation.pages.runs import Run, find_runs, read_run
from s2robot.evaluation.report import main_evaluation
from s2robot.runs import lock, record
from s2robot.runs.folder import replacement_of

RUNNING, DAMAGED = "running", "damaged"


@dataclass(frozen=True)
class Line:
    """What is known of a run; None where there is nothing."""

    run: str
    status: str  # running, finished, stopped (by a signal or a kill), failed, damaged
    step: int | None = None  # of the last checkpoint
    steps: int | None = None  # that were asked for
    evaluation: str | None = None  # `default`, else the one with the most episodes
    evaluated_step: int | None = None  # of the checkpoint that was evaluated
    weights_are_here: bool | None = None  # whether a checkpoint has the weights that were evaluated
    successes: int | None = None
    episodes: int | None = None
    success_rate: float | None = None
    ci95: tuple[float, float] | None = None
    train_s: float | None = None
    date: str | None = None  # of the latest start
    reason: str = ""  # why it failed, or what is damaged


def lines(folder: Path) -> list[Line]:
    """A line for each run in a folder. Raises `UserError` where there is none."""
    return [_line(run, folder) for run in find_runs(folder)]


def _line(path: Path, folder: Path) -> Line:
    name = str(path.relative_to(folder)) if path != folder else str(path)
    try:
        return _known(read_run(path), name)
    except UserError as error:
        return Line(name, RUNNING if lock.owner(path) else DAMAGED, reason=str(error))


def _known(run: Run, name: str) -> Line:
    latest = (record.read(run.folder).get("starts") or [{}])[-1]
    step, steps = (number(value) for value in (_step(run), pick(run.config, "optim.steps")))
    status, reason = _status(run, latest, step, steps)
    seconds, date = number(pick(run.stages, "train.seconds")), latest.get("date")
    judged = main_evaluation(run.evaluations)
    summary = None if judged is None else judged.summary
    return Line(
        run=name,
        status=status,
        step=None if step is None else int(step),
        steps=None if steps is None else int(steps),
        evaluation=None if judged is None else judged.name,
        evaluated_step=None if judged is None else judged.step,
        weights_are_here=None if judged is None else run.has_weights(judged),
        successes=None if summary is None else summary.successes,
        episodes=None if summary is None else summary.episodes,
        success_rate=None if summary is None else summary.success_rate,
        ci95=None if summary is None else summary.ci95,
        train_s=seconds,
        date=date if isinstance(date, str) else None,
        reason=reason,
    )


def _step(run: Run) -> object:
    return run.checkpoints.get("last", {}).get("step")


def _status(run: Run, latest: dict[str, object], step: float | None, steps: float | None) -> tuple[str, str]:
    """How the training is or ended, and why."""
    if told := lock.owner(run.folder):
        return RUNNING, told
    if replacement_of(run.folder).pending:
        return record.STOPPED, "its replacement had no checkpoint; the next s2robot train puts it back"
    how, reason = pick(latest, "ended.how"), pick(latest, "ended.reason")
    if how in (record.FINISHED, record.STOPPED, record.FAILED):
        return str(how), str(reason or "")
    done = not latest and step is not None and step == steps  # a run of an earlier version
    return (record.FINISHED, "") if done else (record.STOPPED, "killed" if latest else "")


def table(found: Sequence[Line]) -> list[str]:
    """The lines with a head, in columns; below, why runs failed."""
    rows = [("run", "status", "step", "success", "training", "date")]
    for one in found:
        steps = f"{_shown(one.step)} of {_shown(one.steps)}" if one.steps is not None else _shown(one.step)
        success = "-"
        if one.success_rate is not None and one.ci95 is not None:
            low, high = one.ci95
            success = f"{one.successes} of {one.episodes} = {one.success_rate:.1%} [{low:.1%}, {high:.1%}]"
            success += "" if one.evaluated_step in (None, one.step) else f", of step {one.evaluated_step}"
            success += "" if one.weights_are_here else ", of weights that no checkpoint has"
        seconds = "-" if one.train_s is None else duration(one.train_s)
        date = "-" if one.date is None else one.date[:16].replace("T", " ")
        rows.append((one.run, one.status, steps, success, seconds, date))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return text + [f"{one.run}: {one.reason}" for one in found if one.reason]


def _shown(value: int | None) -> str:
    return "-" if value is None else str(value)
