"""The folder of one run: what `s2robot train` starts, and how long each stage took.

runs/<name>/
  config.yaml      as composed
  checkpoints/     see s2robot.runs.checkpoint
  metrics.jsonl, tensorboard/
  timings.json     wall time and memory of each stage
  validation.json  error of the predicted actions, see s2robot.evaluation.validation_file
  eval/<name>/     see s2robot.evaluation.evaluation
  report.html
"""

import json
import os
import resource
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from s2robot.errors import UserError
from s2robot.files import write_text
from s2robot.runs.plain import read_object

KIB_PER_GIB = 1024**2
OF_A_TRAINING = ("checkpoints", "tensorboard", "metrics.jsonl", "validation.json", "eval", "report.html", "wandb_id")


def check(run_dir: Path) -> None:
    """Raise `UserError` if nothing can be written there; creates nothing."""
    there = next(path for path in (run_dir.absolute(), *run_dir.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        why = "cannot be written to" if there.is_dir() else "is a file"
        raise UserError(f"run_dir={run_dir}: {there} {why}")


def start(run_dir: Path, config: Mapping[str, Any], resume: bool) -> None:
    """Make the folder and write its configuration (plain data).

    Without `resume` an earlier training there is replaced, together with its evaluations.
    """
    from s2robot import parallel  # imports PyTorch, which reading a run does not need

    if not parallel.is_main():
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    if not resume and (run_dir / "checkpoints").exists():
        print(
            f"{run_dir}: training from the start, the earlier training is replaced (resume=true continues it)"
        )
        for name in OF_A_TRAINING:
            path = run_dir / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    write_text(run_dir / "config.yaml", yaml.safe_dump(dict(config), sort_keys=False))


@contextmanager
def stage(run_dir: Path, name: str) -> Iterator[None]:
    """Measure what happens inside as stage `name` of the run; nothing is recorded when it fails."""
    started = time.perf_counter()
    yield
    from s2robot import parallel

    if not parallel.is_main():
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    record_stage(run_dir, name, time.perf_counter() - started)


def record_stage(run_dir: Path, name: str, seconds: float) -> None:
    """Note a stage's wall time and the memory of the largest process so far (this one or a child), in GiB."""
    usages = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    stages = read_stages(run_dir)
    stages[name] = {"seconds": round(seconds, 2), "peak_gib": round(max(usages) / KIB_PER_GIB, 2)}
    write_text(run_dir / "timings.json", json.dumps(stages, indent=2))


def read_stages(run_dir: Path) -> dict[str, dict[str, float]]:
    """Stage name -> seconds and peak_gib, in the order in which they were first run."""
    path = run_dir / "timings.json"
    if not path.exists():
        return {}
    stages = read_object(path)
    for name, stage in stages.items():
        numbers = [stage.get(key) for key in ("seconds", "peak_gib")] if isinstance(stage, dict) else [None]
        if not all(type(number) in (int, float) for number in numbers):
            raise UserError(f"{path}: stage {name!r} is {stage}, expected numbers `seconds` and `peak_gib`")
    return stages
