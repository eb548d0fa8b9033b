"""The commands that a user types, timed; for `gpu.py`."""

import contextlib
import io
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
import yaml

from s2robot.commands.cli import main as run_here
from s2robot.evaluation.episodes_file import read_episodes

ROOT = Path(__file__).resolve().parents[1]


def command(*words: str, here: bool) -> tuple[float, str]:
    """Seconds of `s2robot ...` and its last line: in a process of its own, or in this one (no start-up).

    Raises RuntimeError with what it said last where it fails.
    """
    start = time.perf_counter()
    if not here:
        done = subprocess.run(
            [sys.executable, "-m", "s2robot", *words], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"s2robot {words[0]} failed: {(done.stderr or done.stdout).strip()[-300:]}")
        said = done.stdout
    else:
        heard, sys.argv = io.StringIO(), ["s2robot", *words]
        try:
            with contextlib.redirect_stdout(heard):
                run_here(list(words))
        except SystemExit as exit_:
            if exit_.code:
                raise RuntimeError(f"s2robot {words[0]} failed: {heard.getvalue().strip()[-300:]}") from exit_
        said = heard.getvalue()
    return time.perf_counter() - start, said.strip().splitlines()[-1]


def path(device: torch.device, folder: Path, tiny: bool) -> dict[str, Any]:
    """From demonstrations on the disk to evaluated episodes."""
    demos, run_dir = folder / "demos.hdf5", folder / "run"
    episodes, steps = (1, 4) if tiny else (100, 3000)
    collect = ["collect", "--env", "s2robot/PickCube-v0", "--out", str(demos)]
    collect += ["--episodes", "2", "--image-size", "64", "--workers", "1"] if tiny else ["--episodes", "120"]
    collect_s, _ = command(*collect, here=tiny)
    options = ["experiment=demo", f"data.path={demos}"]
    options += [] if device.type == "cpu" else ["encoder.precision=float16"]
    if tiny:
        options += ["encoder.sizes=[64]", "encoder.camera_sizes={}", "encoder.backend=torch"]
    building = [option for option in options if not option.startswith("data.")]
    features_s, _ = command("features", str(demos), *building, f"--device={device}", here=tiny)
    training = [f"run_dir={run_dir}", f"optim.steps={steps}", f"device={device}"]
    training += ["optim.batch_size=8", "policy.hidden=[16]", "data.valid=null"] if tiny else []
    train_s, _ = command("train", *options, *training, here=tiny)
    acting = [f"episodes={episodes}", "video=0", f"device={device}", *(["workers=1"] if tiny else [])]
    eval_s, _ = command("eval", f"checkpoint={run_dir}/checkpoints/last", *acting, here=tiny)

    out = run_dir / "eval" / "default"
    results = read_episodes(out / "episodes.jsonl")
    config = yaml.safe_load((run_dir / "config.yaml").read_text())
    decisions = sum(math.ceil(result.steps / config["policy"]["action_steps"]) for result in results)
    stages = json.loads((run_dir / "timings.json").read_text())
    evaluating_s = stages["evaluate"]["seconds"]
    return {
        "collect_s": round(collect_s, 1),
        "features_s": round(features_s, 1),
        "train_s": round(train_s, 1),
        "eval_s": round(eval_s, 1),
        "total_s": round(features_s + train_s + eval_s, 1),
        "episodes": len(results),
        "successes": sum(result.success for result in results),
        "decisions_per_s": round(decisions / evaluating_s, 1),
    }
