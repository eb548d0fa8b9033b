"""One page about a run: its success rates, its videos, its training curves.

`report.html` is made from the files of the run folder and nothing else. It opens offline: style,
script and curves are inside, the videos are linked by their path within the folder.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jinja2
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from s2robot.errors import UserError
from s2robot.evaluation.episodes_file import read_episodes
from s2robot.evaluation.success_rate import Summary, summarise
from s2robot.files import write_text
from s2robot.rollouts.results import EpisodeResult
from s2robot.runs import folder as run_folder
from s2robot.runs import metrics

COLOURS = ("#3b82c4", "#e08a2e", "#3aa675", "#b05fc0")  # readable on white and on black
GREY = "#8a8f98"


@dataclass(frozen=True)
class Evaluation:
    """The content of a folder below `eval/`."""

    name: str
    planned: int
    summary: Summary
    episodes: Sequence[EpisodeResult]

    def video_url(self, episode: EpisodeResult) -> str:
        """Relative to the run folder, where the report lies."""
        return quote(f"eval/{self.name}/{episode.video}")


def write_report(run_dir: Path) -> Path:
    """Write `run_dir/report.html` and return its path. Raises `UserError` if nothing was evaluated there."""
    folders = sorted(path.parent for path in run_dir.glob("eval/*/seeds.json"))
    evaluations = [found for folder in folders if (found := _evaluation(folder)) is not None]
    if not evaluations:
        raise UserError(
            f"{run_dir} has no evaluated episodes (eval/<name>/episodes.jsonl); run eval.py checkpoint="
            f"{run_dir}/checkpoints/last first"
        )
    curves = _curves(metrics.read(run_dir))
    config = run_dir / "config.yaml"
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("s2robot.evaluation"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = templates.get_template("report.html.j2").render(
        run=run_dir.resolve().name,
        evaluations=evaluations,
        curves=curves,
        plotly=get_plotlyjs() if curves else "",
        stages=run_folder.read_stages(run_dir),
        config=config.read_text() if config.exists() else "",
    )
    path = run_dir / "report.html"
    write_text(path, page)
    return path


def _evaluation(folder: Path) -> Evaluation | None:
    """The evaluation in `folder`, recomputed from its episodes; None before the first has finished."""
    path = folder / "episodes.jsonl"
    if not path.exists() or not (finished := read_episodes(path)):
        return None
    plan = json.loads((folder / "seeds.json").read_text())
    order = {seed: i for i, seed in enumerate(plan["seeds"])}
    episodes = sorted(finished, key=lambda episode: order[episode.seed])
    wall_s = sum(episode.wall_s for episode in episodes)
    return Evaluation(folder.name, len(order), summarise(plan["env_id"], episodes, wall_s), episodes)


def _curves(lines: Sequence[dict[str, float]]) -> list[tuple[str, str]]:
    """A plot for each quantity, `train/loss` and `valid/loss` in one: its name and its HTML."""
    points: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        for name, value in line.items():
            if name != "step":
                group, _, quantity = name.rpartition("/")
                points[quantity][group].append((line["step"], value))
    return [(quantity.replace("_", " "), _plot(groups)) for quantity, groups in points.items()]


def _plot(groups: dict[str, list[tuple[float, float]]]) -> str:
    figure = go.Figure()
    for (group, values), colour in zip(groups.items(), COLOURS, strict=False):
        steps, ys = zip(*values, strict=True)
        mode = "lines" if len(values) > 1 else "markers"
        figure.add_scatter(x=steps, y=ys, name=group, mode=mode, line={"color": colour, "width": 2})
    axis = {"gridcolor": "rgba(138,143,152,.25)", "zeroline": False}
    figure.update_layout(
        template="none",
        height=260,
        margin={"l": 56, "r": 12, "t": 8, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": GREY, "size": 12},
        xaxis={**axis, "title": "step", "rangemode": "tozero"},
        yaxis={**axis, "exponentformat": "power"},
        showlegend=len(groups) > 1,
        legend={"orientation": "h", "y": 1.0, "yanchor": "top", "x": 1.0, "xanchor": "right"},
        hovermode="x unified",
        hoverlabel={"bgcolor": "#2a2d31", "font": {"color": "#ffffff"}},
    )
    return figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False})
