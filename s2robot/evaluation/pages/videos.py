"""The videos of an evaluation: where a page finds them, beside it or inside it."""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from markupsafe import Markup

from s2robot.errors import UserError
from s2robot.evaluation.filming import GRID
from s2robot.evaluation.pages import charts
from s2robot.evaluation.pages.evaluations import Evaluation
from s2robot.rollouts.decisions import Decisions, read_decisions
from s2robot.rollouts.results import EpisodeResult

SUFFIX = ".mp4"
WITH_CHARTS = 24  # videos of an evaluation that have charts of the actions


@dataclass(frozen=True)
class Film:
    """A video with what stands below it."""

    source: str  # of the page: a relative URL, or the video itself
    episode: EpisodeResult
    actions: Markup | str  # charts of what was decided and executed
    looks: str  # JSON for the script: what was looked at; empty if it was not noted


def films(evaluation: Evaluation, embed: bool, names: Sequence[str] = ()) -> list[Film]:
    """The videos of an evaluation that are there, failures first; `names` are those of the actions' numbers.

    Raises `UserError` for foreign paths and damaged files.
    """
    found = list[Film]()
    for episode in evaluation.filmed:
        path = video_path(evaluation.folder, str(episode.video))
        if path.is_file():
            decisions = read_decisions(path) if len(found) < WITH_CHARTS else None
            actions = "" if decisions is None else charts.beside(action_panels(decisions, names))
            found.append(Film(source(evaluation, path, embed), episode, actions, looks_json(decisions)))
    return found


def looks_json(decisions: Decisions | None) -> str:
    """What was looked at, and where the views are in the video, for the page's script."""
    if decisions is None or decisions.layout is None or not any(one.looks for one in decisions.decisions):
        return ""
    looks = [
        {"step": one.step, "views": {name: asdict(look) for name, look in one.looks.items()}}
        for one in decisions.decisions
    ]
    return json.dumps({**asdict(decisions.layout), "looks": looks}, separators=(",", ":"))


def action_panels(decisions: Decisions, names: Sequence[str]) -> dict[str, dict[str, charts.Points]]:
    """For each number of the action its executed values over the steps, and all predicted chunks."""
    width = len(decisions.executed[0]) if decisions.executed else 0
    titles = names if len(names) == width else [f"action {i}" for i in range(width)]
    panels = dict[str, dict[str, charts.Points]]()
    for i, title in enumerate(titles):
        chunks = list[tuple[float, float]]()
        for one in decisions.decisions:
            chunks += [(one.step + k, row[i]) for k, row in enumerate(one.chunk)]
            chunks.append(charts.BREAK)
        executed = [(float(step), row[i]) for step, row in enumerate(decisions.executed)]
        panels[title] = {"predicted chunks": chunks, "executed": executed}
    return panels


def grid_source(evaluation: Evaluation, embed: bool) -> str:
    """The source of the video of all filmed episodes; empty if there is none."""
    path = video_path(evaluation.folder, f"videos/{GRID}")
    return source(evaluation, path, embed) if path.is_file() else ""


def video_path(folder: Path, name: str) -> Path:
    """The file that a line of `episodes.jsonl` names. Raises `UserError` unless it is a video inside."""
    parts = PurePosixPath(name)
    path = folder / name
    inside = not parts.is_absolute() and ".." not in parts.parts
    if not inside or parts.suffix != SUFFIX or not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{folder / 'episodes.jsonl'} names the video {name!r}, expected an {SUFFIX} file in that folder"
        )
    return path


def source(evaluation: Evaluation, path: Path, embed: bool) -> str:
    """What a page in the run's folder has as the source of a video."""
    if embed:
        return f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}"
    return quote(f"eval/{evaluation.name}/{path.relative_to(evaluation.folder).as_posix()}")
