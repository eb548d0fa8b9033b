"""Results that are kept in git, and read again to rebuild tables: `docs/results/<experiment>/<cell>/`.

    config.yaml     of the training, as it was composed
    seeds.json      what was evaluated: environment, starts, weights
    episodes.jsonl  one line for each episode
    summary.json    success rate, what the cell is (`cell`), seconds, sizes, versions, hardware; written last

A cell is also an evaluation: `s2robot compare CELL CELL` takes it.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import common
import yaml

from s2robot.evaluation.episodes_file import read_episodes
from s2robot.files import write_text
from s2robot.rollouts.results import EpisodeResult
from s2robot.runs import folder as run_folder
from s2robot.runs import record
from s2robot.runs.plain import read_object

RESULTS = common.ROOT / "docs" / "results"
SUMMARY = "summary.json"
APART = 10**9  # the same start after another training is another pair


@dataclass(frozen=True)
class Cell:
    """One training and its evaluation."""

    name: str
    labels: Mapping[str, Any]  # what distinguishes it from other cells: task, encoder, seed of training, ...
    summary: Mapping[str, Any]
    episodes: Sequence[EpisodeResult]

    @property
    def successes(self) -> int:
        return sum(episode.success for episode in self.episodes)


@dataclass(frozen=True)
class Planned:
    """A cell that is to be run."""

    task: str
    encoder: str
    seed: int  # of training

    @property
    def name(self) -> str:
        return f"{self.task}-{self.encoder}-seed{self.seed}"

    @property
    def labels(self) -> dict[str, str | int]:
        return {"task": self.task, "encoder": self.encoder, "seed": self.seed}


def run(
    cell: Planned,
    experiment: str,
    folders: tuple[Path, Path],
    data: Callable[[], Path],
    options: Sequence[str],
    episodes: int,
    *evaluation: str,
) -> None:
    """Train, evaluate and keep a cell, as far as that is not done.

    `folders`: of the results and of the runs. `data` makes the demonstrations where they are missing,
    `options` are those of `s2robot train`, `evaluation` those of `s2robot eval`.
    """
    kept, run_dir = folders[0] / experiment / cell.name, folders[1] / cell.name
    if is_kept(kept):
        common.say(f"{cell.name}: in {kept}")
        return
    common.trained(run_dir, f"experiment={experiment}", f"data.path={data()}", f"seed={cell.seed}", *options)
    done = common.evaluated(run_dir, "default", episodes, *evaluation)
    keep(run_dir, "default", kept, cell.labels)
    common.say(f"{cell.name}: {common.rate(done)}")


def is_kept(folder: Path) -> bool:
    """Whether a cell is complete."""
    return (folder / SUMMARY).is_file()


def keep(run_dir: Path, evaluation: str, folder: Path, labels: Mapping[str, Any]) -> None:
    """Copy what a table needs from a finished run into the folder of a cell; no videos, names or paths."""
    source = run_dir / "eval" / evaluation
    folder.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load((run_dir / "config.yaml").read_text())
    config["run_dir"], config["data"]["path"] = run_dir.name, Path(str(config["data"]["path"])).name
    write_text(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False))
    shutil.copyfile(source / "seeds.json", folder / "seeds.json")
    shutil.copyfile(source / "episodes.jsonl", folder / "episodes.jsonl")
    starts = record.read(run_dir)["starts"]
    stages = run_folder.read_stages(run_dir)
    hardware = {key: value for key, value in starts[-1]["hardware"].items() if key != "host"}
    summary = {
        "cell": dict(labels),
        **read_object(source / "summary.json"),
        "steps": starts[-1]["ended"]["step"],
        "features_s": stages["features"]["seconds"],
        "train_s": stages["train"]["seconds"] if len(starts) == 1 else None,  # of all its steps, or unknown
        "sizes": read_object(run_dir / "sizes.json"),
        "versions": starts[-1]["versions"],
        "hardware": hardware,
        "commit": starts[-1]["commit"],
    }
    write_text(folder / SUMMARY, json.dumps(summary, indent=2) + "\n")


def read_cells(experiment: str, root: Path = RESULTS) -> list[Cell]:
    """The complete cells of an experiment, in the order of their names."""
    cells = []
    for folder in sorted(path.parent for path in (root / experiment).glob(f"*/{SUMMARY}")):
        summary = read_object(folder / SUMMARY)
        cells.append(Cell(folder.name, summary["cell"], summary, read_episodes(folder / "episodes.jsonl")))
    return cells


def pooled(cells: Iterable[Cell]) -> list[EpisodeResult]:
    """The episodes of several trainings, those of different training seeds kept apart."""
    return [replace(e, seed=cell.labels["seed"] * APART + e.seed) for cell in cells for e in cell.episodes]
