"""One page about a run: its success rates, its videos, its offline validation, its training curves.

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
from plotly.offline import get_plotlyjs

from s2robot.errors import UserError
from s2robot.evaluation import plots
from s2robot.evaluation.episodes_file import read_episodes
from s2robot.evaluation.success_rate import Summary, summarise
from s2robot.evaluation.validation_file import NAME, read_validation
from s2robot.evaluation.validation_section import section, share_of_range
from s2robot.files import write_text
from s2robot.rollouts.results import EpisodeResult
from s2robot.runs import folder as run_folder
from s2robot.runs import metrics


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
    """Write `run_dir/report.html` and return its path.

    Raises `UserError` for a run that was neither evaluated in simulation nor validated without one.
    """
    folders = sorted(path.parent for path in run_dir.glob("eval/*/seeds.json"))
    evaluations = [found for folder in folders if (found := _evaluation(folder)) is not None]
    validation = read_validation(run_dir)
    if not evaluations and validation is None:
        raise UserError(
            f"{run_dir} has no evaluated episodes (eval/<name>/episodes.jsonl) and no {NAME}; run "
            f"`s2robot eval checkpoint={run_dir}/checkpoints/last` first"
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
        validation=None if validation is None else section(validation),
        share_of_range=share_of_range,
        plotly=get_plotlyjs() if curves or validation else "",
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
    return [(quantity.replace("_", " "), plots.curves(groups)) for quantity, groups in points.items()]
