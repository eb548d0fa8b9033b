"""Run folders with few files, for the tests of pages that read them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def write_run(
    folder: Path,
    outcomes: Mapping[int, bool] | None = None,
    *,
    name: str = "default",
    env_id: str = "Push-v0",
    minutes: float = 1.0,
    **options: Any,
) -> Path:
    """A run with these options that was evaluated with the outcome of each seed; with None, it was not."""
    folder.mkdir(parents=True, exist_ok=True)
    if options:
        (folder / "config.yaml").write_text(yaml.safe_dump({"run_dir": str(folder), **options}))
    lines = [{"step": step, "valid/loss": 1 / step, "train/loss": 2 / step} for step in (10, 20, 30)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    stages = {"train": {"seconds": 60 * minutes, "peak_gib": 1.0}}
    (folder / "timings.json").write_text(json.dumps(stages))
    if outcomes is not None:
        write_evaluation(folder / "eval" / name, outcomes, env_id)
    return folder


def write_evaluation(folder: Path, outcomes: Mapping[int, bool], env_id: str = "Push-v0") -> None:
    """An evaluation with the outcome of each seed."""
    folder.mkdir(parents=True)
    plan = {"env_id": env_id, "env_kwargs": {}, "seeds": list(outcomes)}
    (folder / "seeds.json").write_text(json.dumps(plan))
    (folder / "summary.json").write_text(json.dumps({"decision_ms": 12.5}))
    lines = [
        {"seed": seed, "success": success, "steps": 9, "return": 1.0, "wall_s": 0.5, "video": None}
        for seed, success in outcomes.items()
    ]
    (folder / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
