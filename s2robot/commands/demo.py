"""The whole path on PickCube with the public commands: collect, train, evaluate, report."""

import json
import subprocess
import sys
import time
from pathlib import Path

from s2robot.errors import UserError
from s2robot.runs import folder as run_folder

ENV_ID = "s2robot/PickCube-v0"
ROOT = Path(__file__).resolve().parents[2]


def commands(run_dir: Path, demonstrations: int, episodes: int, options: list[str]) -> dict[str, list[str]]:
    """Stage -> the command a user would type."""
    train = ["python", "train.py", "experiment=demo"]
    if run_dir != Path("runs/demo"):
        train += [f"run_dir={run_dir}", f"data.path={run_dir}/demos.hdf5"]
    last = f"checkpoint={run_dir}/checkpoints/last"
    return {
        "collect": [
            *("s2robot", "collect", "--env", ENV_ID, "--episodes", str(demonstrations)),
            *("--seed", "0", "--out", f"{run_dir}/demos.hdf5"),
        ],
        "train": [*train, *options],
        "evaluate": ["python", "eval.py", last, f"episodes={episodes}", f"video={min(9, episodes)}"],
        "report": ["s2robot", "report", str(run_dir)],
    }


def run_demo(run_dir: Path, demonstrations: int, episodes: int, options: list[str]) -> None:
    """Run every stage in its own process, print each command first, and sum up in one line.

    Raises `UserError` naming the command that failed.
    """
    if not (ROOT / "train.py").is_file():
        raise UserError(
            f"the demo runs train.py and eval.py of a clone of the repository; there is none at {ROOT}"
        )
    started = time.perf_counter()
    for stage, command in commands(run_dir, demonstrations, episodes, options).items():
        print(f"\n$ {' '.join(command)}", flush=True)
        begun = time.perf_counter()
        status = subprocess.run([_program(command[0]), *command[1:]], cwd=ROOT, check=False).returncode
        if status:
            raise UserError(f"the demo stopped: `{' '.join(command)}` ended with status {status}")
        if stage == "collect":  # the other stages note their time in the run folder themselves
            run_folder.record_stage(ROOT / run_dir, stage, time.perf_counter() - begun)
    print(f"\n{summary_line(ROOT / run_dir, time.perf_counter() - started)}")


def summary_line(run_dir: Path, total_s: float) -> str:
    """Success rate, its interval, the time of each stage, and where the videos and the report are."""
    summary = json.loads((run_dir / "eval" / "default" / "summary.json").read_text())
    low, high = summary["ci95"]
    stages = run_folder.read_stages(run_dir)
    times = ", ".join(f"{name} {stage['seconds']:.0f} s" for name, stage in stages.items())
    memory = max(stage["peak_gib"] for stage in stages.values())
    return (
        f"success {summary['successes']}/{summary['episodes']} = {summary['success_rate']:.1%} "
        f"(95% Wilson interval {low:.1%} to {high:.1%}); {times}, all {total_s:.0f} s; "
        f"largest process {memory:.1f} GiB; videos: {run_dir / 'eval' / 'default' / 'videos'}; "
        f"report: {run_dir / 'report.html'}"
    )


def _program(name: str) -> str:
    """The program beside this Python, so that the environment need not be activated."""
    return sys.executable if name == "python" else str(Path(sys.executable).with_name(name))
