"""Run folders as the pages read them: every file that is there, checked; what is missing is empty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from s2robot.errors import UserError
from s2robot.evaluation.pages.evaluations import Evaluation, read_evaluation
from s2robot.evaluation.validation_file import NAME, Validation, read_validation
from s2robot.files import read_text
from s2robot.runs import folder as run_folder
from s2robot.runs import metrics
from s2robot.runs.plain import read_object

MARKS = ("config.yaml", "metrics.jsonl", NAME, "checkpoints", "eval")  # a folder with one of them is a run
DEPTH = 3  # folders below the given one in which runs are looked for


@dataclass(frozen=True)
class Run:
    """What is known of a run."""

    folder: Path
    config: Mapping[str, Any]
    config_text: str
    made: Mapping[str, Any]  # of the latest start in run.json: commit, versions, hardware, command, date
    sizes: Mapping[str, Any]  # sizes.json: demonstrations, parameters, costs
    metrics: Sequence[Mapping[str, float]]
    stages: Mapping[str, Mapping[str, float]]
    checkpoints: Mapping[str, Mapping[str, Any]]  # checkpoint.json of `best` and `last`
    evaluations: Sequence[Evaluation]
    validation: Validation | None
    name: str = field(default="")

    def has_weights(self, evaluation: Evaluation) -> bool:
        """Whether a checkpoint that is there has the evaluated weights; True where that is not known."""
        there = [one.get("weights_sha256") for one in self.checkpoints.values()]
        return not evaluation.weights or None in there or evaluation.weights in there

    @property
    def best_step(self) -> int | None:
        """The step of the best checkpoint; None if there is none."""
        return self.checkpoints.get("best", {}).get("step")


def read_run(folder: Path) -> Run:
    """Read a run. Raises `UserError` for damaged files, and for a folder that holds no run."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; `s2robot report` takes the folders of runs")
    if not is_run(folder):
        raise UserError(
            f"{folder} is no run: it has none of {', '.join(MARKS)}; "
            f"`s2robot train run_dir={folder} data.path=FILE` makes one"
        )
    text, config = _config(folder / "config.yaml")
    folders = sorted(path.parent for path in folder.glob("eval/*/episodes.jsonl"))
    return Run(
        folder=folder,
        config=config,
        config_text=text,
        made=_made(folder / "run.json"),
        sizes=_object(folder / "sizes.json"),
        metrics=metrics.read(folder),
        stages=run_folder.read_stages(folder),
        checkpoints=_checkpoints(folder / "checkpoints"),
        evaluations=[found for one in folders if (found := read_evaluation(one)) is not None],
        validation=read_validation(folder),
        name=folder.resolve().name,
    )


def is_run(folder: Path) -> bool:
    """Whether a folder has one of the things that make it a run."""
    return any((folder / mark).exists() for mark in MARKS)


def find_runs(path: Path) -> list[Path]:
    """`path` if it is a run, else the runs below it. Raises `UserError` if there are none."""
    if not path.is_dir():
        raise UserError(f"{path} is no folder; give a run, or a folder of runs")
    if is_run(path):
        return [path]
    level, found = [path], list[Path]()
    for _ in range(DEPTH):
        below = sorted(one for folder in level for one in folder.iterdir() if one.is_dir())
        found += [one for one in below if is_run(one)]
        level = [one for one in below if not is_run(one) and not one.name.startswith(".")]
    if not found:
        raise UserError(f"{path} is no run and holds none (a run has one of {', '.join(MARKS)})")
    return found


def _object(path: Path) -> dict[str, Any]:
    return read_object(path) if path.exists() else {}


def _made(path: Path) -> dict[str, Any]:
    """The latest start that `run.json` records."""
    plain = _object(path)
    starts = plain.get("starts", [plain])
    if not isinstance(starts, list) or not starts or not all(isinstance(one, dict) for one in starts):
        raise UserError(f"{path}: `starts` must be a list of JSON objects")
    return dict(starts[-1])


def _config(path: Path) -> tuple[str, Mapping[str, Any]]:
    if not path.exists():
        return "", {}
    try:
        text = read_text(path)
        plain = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(plain, dict):
        raise UserError(f"{path} holds no options (NAME: VALUE lines)")
    return text, plain


def _checkpoints(folder: Path) -> dict[str, Mapping[str, Any]]:
    found = dict[str, Mapping[str, Any]]()
    for name in ("best", "last"):
        path = folder / name / "checkpoint.json"
        if path.exists():
            found[name] = read_object(path)
            if type(found[name].get("step")) is not int:
                raise UserError(f"{path}: `step` must be an integer")
    return found
