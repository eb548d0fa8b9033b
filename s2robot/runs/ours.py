"""Which files of a folder a training wrote: nothing else is ever replaced."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from s2robot.files import SCRATCH_SUFFIX
from s2robot.runs import steps

OF_AN_EVALUATION = ("summary.json", "episodes.jsonl", "seeds.json", "videos")
FILMED = re.compile(r"seed_\d+(_\w+)?\.(mp4|json)|grid\.mp4")
MOST_READ = 64 * 2**20  # characters of a file
HIDDEN_ONES = (".lock", ".replaced", ".replacing")


def foreign(run_dir: Path) -> Path | None:
    """The first thing under a name that a training uses which no training wrote; None if all are its own."""
    return next((found for name, check in OF_A_TRAINING.items() for found in check(run_dir / name)), None)


def _checkpoints(folder: Path) -> Iterator[Path]:
    for path in _inside(folder):
        known = path.name in steps.LINKS or steps.NAME.fullmatch(path.name)
        if not known or not (path.is_symlink() or (path / "checkpoint.json").is_file()):
            yield path


def _evaluations(folder: Path) -> Iterator[Path]:
    for evaluation in _inside(folder):
        yield from foreign_to_evaluation(evaluation)


def foreign_to_evaluation(folder: Path) -> Iterator[Path]:
    """What no evaluation wrote in the folder of one."""
    if not folder.is_dir():
        yield folder
        return
    names = {path.name for path in folder.iterdir()}
    if names & {"videos"} and not names & {"seeds.json", "episodes.jsonl"}:
        yield folder / "videos"
    yield from (path for path in _inside(folder) if path.name not in OF_AN_EVALUATION)
    yield from (path for path in folder.glob("videos/[!.]*") if not FILMED.fullmatch(path.name))


def _events(folder: Path) -> Iterator[Path]:
    yield from (path for path in _inside(folder) if not path.name.startswith("events.out.tfevents."))


def _inside(folder: Path) -> Iterator[Path]:
    """What a folder holds, but for locks and what killed processes left; the path itself if it is no
    folder."""
    if folder.is_dir():
        yield from (path for path in sorted(folder.iterdir()) if not _is_hidden(path))
    elif folder.exists() or folder.is_symlink():
        yield folder


def _is_hidden(path: Path) -> bool:
    return path.name in HIDDEN_ONES or (path.name.startswith(".") and path.suffix == SCRATCH_SUFFIX)


def _file(holds: Callable[[str], bool]) -> Callable[[Path], Iterator[Path]]:
    """A check of a text file by its content."""

    def check(path: Path) -> Iterator[Path]:
        if path.is_symlink() or (path.exists() and not (path.is_file() and _holds(path))):
            yield path

    def _holds(path: Path) -> bool:
        try:
            with path.open() as file:
                return holds(file.read(MOST_READ))
        except (ValueError, AttributeError, RecursionError, yaml.YAMLError):
            return False

    return check


def _has(parsed: Any, *keys: str) -> bool:
    return isinstance(parsed, dict) and parsed.keys() >= set(keys)


# What a training and its evaluations write into a run folder, and how each of them is recognised.
OF_A_TRAINING: dict[str, Callable[[Path], Iterator[Path]]] = {
    "checkpoints": _checkpoints,
    "eval": _evaluations,
    "tensorboard": _events,
    "metrics.jsonl": _file(lambda text: not text.strip() or _has(json.loads(text.split("\n")[0]), "step")),
    "validation.json": _file(lambda text: _has(json.loads(text), "dimensions")),
    "timings.json": _file(lambda text: all(_has(one, "seconds") for one in json.loads(text).values())),
    "report.html": _file(lambda text: text.startswith("<!doctype html>")),
    "config.yaml": _file(lambda text: _has(yaml.safe_load(text), "policy", "optim", "encoder", "data")),
    "run.json": _file(lambda text: _has(json.loads(text), "s2robot")),
    "sizes.json": _file(lambda text: _has(json.loads(text), "demonstrations")),
    "wandb_id": _file(lambda text: bool(re.fullmatch(r"[0-9a-f]{8}\s*", text))),
}
