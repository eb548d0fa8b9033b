"""The folder of one run: who may write into it, what `s2robot train` starts there, and how long
each stage took.

runs/<name>/
  config.yaml      as composed
  run.json         where, when and by what command, see s2robot.runs.record
  checkpoints/     see s2robot.runs.checkpoint
  metrics.jsonl, tensorboard/
  timings.json     wall time and memory of each stage
  sizes.json       demonstrations, parameters, costs, see s2robot.evaluation.sizes_file
  validation.json  error of the predicted actions, see s2robot.evaluation.validation_file
  eval/<name>/     see s2robot.evaluation.evaluation
  report.html

One training at a time writes there, and an earlier one is replaced only when the user says so: it stays
until the new one has a checkpoint.
"""

import json
import os
import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from s2robot.errors import UserError
from s2robot.files import write_text
from s2robot.runs.lock import in_the_way, locked, owner
from s2robot.runs.ours import OF_A_TRAINING, foreign
from s2robot.runs.plain import read_object
from s2robot.runs.replacement import Replacement

KIB_PER_GIB = 1024**2
MOST = 1e12  # seconds or GiB that can be true
STAGES = ("features", "train", "validate", "evaluate")  # that a training and its evaluations go through


def check(run_dir: Path, resume: bool = False, overwrite: bool = False) -> None:
    """Raise `UserError` if a training may not write there; changes nothing."""
    if fault := in_the_way(run_dir):
        raise UserError(f"run_dir={run_dir}: {fault}")
    there = next(path for path in (run_dir.absolute(), *run_dir.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK):
        raise UserError(f"run_dir={run_dir}: {there} cannot be written to")
    if resume and overwrite:
        raise UserError("resume=true goes on with a training and overwrite=true replaces it: say one of them")
    if replacement_of(run_dir).pending or (resume and has_checkpoint(run_dir)):
        return  # what was interrupted is brought into order first; resuming replaces nothing
    if found := foreign(run_dir):
        raise UserError(
            f"run_dir={run_dir} holds {found.relative_to(run_dir)}, which no training of s2robot wrote; "
            f"nothing was changed: say another run_dir, or move it elsewhere"
        )
    if not (resume or overwrite) and holds_training(run_dir):
        raise UserError(
            f"run_dir={run_dir} holds a training already: resume=true goes on with it, overwrite=true "
            f"replaces it, another run_dir keeps both"
        )


def has_checkpoint(run_dir: Path) -> bool:
    """Whether a training has saved there."""
    return any(run_dir.glob("checkpoints/[!.]*/checkpoint.json"))


def holds_training(run_dir: Path) -> bool:
    """Whether there is something of a training that would be missed."""
    return has_checkpoint(run_dir) or any(run_dir.glob("eval/*")) or replacement_of(run_dir).pending


def replacement_of(run_dir: Path) -> Replacement:
    """The training in a folder as something that can be replaced."""
    return Replacement(run_dir, OF_A_TRAINING.keys(), (run_dir / "checkpoints" / "last").exists)


@contextmanager
def opened(run_dir: Path, resume: bool, overwrite: bool) -> Iterator[Replacement]:
    """Hold a run folder for one training; `finish` of what is given is to be called once it has saved.

    An earlier training that was to be replaced and was not is put back, before and after. Raises `UserError`
    where `check` does and when another process holds the folder. Of several processes the main one does this.
    """
    from s2robot import parallel  # imports PyTorch, which reading a run does not need

    replacement = replacement_of(run_dir)
    if not parallel.is_main():
        parallel.wait()
        yield replacement
        return
    with locked(run_dir, f"run_dir={run_dir}"):
        put_back(run_dir)
        check(run_dir, resume, overwrite)
        parallel.wait()
        try:
            yield replacement
        finally:
            put_back(run_dir)


def put_back(run_dir: Path) -> None:
    """Put an earlier training back whose replacement has no checkpoint; the caller holds the folder."""
    if replacement_of(run_dir).settle() and has_checkpoint(run_dir):
        print(f"{run_dir}: the earlier training is back, because its replacement ended without a checkpoint")


def start(run_dir: Path, config: Mapping[str, Any], resume: bool, features_s: float) -> None:
    """Write the configuration (plain data) of a training; without `resume` what is there is kept aside.

    `features_s` is how long the features took, the stage before. The folder is open.
    Raises `UserError` while one of its evaluations is running.
    """
    from s2robot import parallel

    if not parallel.is_main():
        return
    replacement = replacement_of(run_dir)
    if not resume and any((run_dir / name).exists() for name in replacement.names):
        if has_checkpoint(run_dir):
            print(f"{run_dir}: the earlier training is kept until this one has a checkpoint")
        others = {name: one for name, one in read_stages(run_dir).items() if name not in STAGES}
        for folder in run_dir.glob("eval/*"):
            if told := owner(folder):
                raise UserError(f"{folder} is being written by {told}; wait for it, or say another run_dir")
        replacement.begin()
        if others:
            write_text(run_dir / "timings.json", json.dumps(others, indent=2))
    write_text(run_dir / "config.yaml", yaml.safe_dump(dict(config), sort_keys=False))
    record_stage(run_dir, "features", features_s)


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
        if not all(_is_measured(number) for number in numbers):
            raise UserError(f"{path}: stage {name!r} is {stage}, expected numbers `seconds` and `peak_gib`")
    return stages


def _is_measured(number: Any) -> bool:
    return type(number) in (int, float) and 0 <= number < MOST
