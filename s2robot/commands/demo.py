"""Run the whole path on PickCube with the other commands: collect, train, evaluate, report."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from s2robot.commands.cli.parser import Parser
from s2robot.errors import UserError
from s2robot.processes.starting import child_environment
from s2robot.runs import folder as run_folder

ENV_ID = "s2robot/PickCube-v0"
RUN_DIR = Path("runs/demo")
OF_BC = "policy.action_steps=2"  # twice the usual decisions: 200 instead of 198 of 200 other starts


def cli(words: Sequence[str]) -> None:
    """`s2robot demo`, which is what `make demo` runs."""
    parser = Parser(__name__, __doc__)
    parser.add_argument("--run-dir", type=Path, default=RUN_DIR, help=f"folder (default: {RUN_DIR})")
    parser.add_argument("--demonstrations", type=int, default=120, help="collected")
    parser.add_argument("--episodes", type=int, default=100, help="evaluated")
    parser.add_argument("options", nargs="*", help="of train, e.g. policy=diffusion_unet optim.steps=500")
    arguments = parser.parse_args(words)
    run_demo(arguments.run_dir, arguments.demonstrations, arguments.episodes, arguments.options)


def commands(run_dir: Path, demonstrations: int, episodes: int, options: list[str]) -> dict[str, list[str]]:
    """Stage -> the command a user would type."""
    train = ["s2robot", "train", "experiment=demo"]
    if run_folder.holds_training(run_dir):
        train.append("overwrite=true")  # of an earlier demo
    if run_dir != RUN_DIR:
        train += [f"run_dir={run_dir}", f"data.path={run_dir}/demos.hdf5"]
    if not any(option.startswith("policy") for option in options):
        train.append(OF_BC)
    return {
        "collect": [
            *("s2robot", "collect", "--env", ENV_ID, "--episodes", str(demonstrations)),
            *("--seed", "0", "--out", f"{run_dir}/demos.hdf5"),
        ],
        "train": [*train, *options],
        "evaluate": [
            "s2robot",
            "eval",
            f"checkpoint={run_dir}/checkpoints/best",
            f"episodes={episodes}",
            f"video={min(9, episodes)}",
        ],
        "report": ["s2robot", "report", str(run_dir)],
    }


def run_demo(run_dir: Path, demonstrations: int, episodes: int, options: list[str]) -> None:
    """Run every stage in its own process, print each command first, and sum up in one line.

    Raises `UserError` naming the command that failed.
    """
    started = time.perf_counter()
    for stage, command in commands(run_dir, demonstrations, episodes, options).items():
        print(f"\n$ {' '.join(command)}", flush=True)
        begun = time.perf_counter()
        if status := _run(command):
            raise UserError(f"the demo stopped: `{' '.join(command)}` ended with status {status}")
        if stage == "collect":  # the other stages note their time in the run folder themselves
            run_folder.record_stage(run_dir, stage, time.perf_counter() - begun)
    print(f"\n{summary_line(run_dir, time.perf_counter() - started)}")


def _run(command: Sequence[str]) -> int:
    """The status that a command ends with; what stops this process lets it save and end first."""
    program = [sys.executable, "-P", "-m"]  # of this Python, whose environment need not be activated
    with subprocess.Popen([*program, *command], env=child_environment()) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            raise


def summary_line(run_dir: Path, total_s: float) -> str:
    """Success rate, interval, the checkpoint's step, time of each stage, where videos and report are."""
    folder = run_dir / "eval" / "default"
    summary = json.loads((folder / "summary.json").read_text())
    step = json.loads((folder / "seeds.json").read_text())["identity"]["step"]
    low, high = summary["ci95"]
    stages = run_folder.read_stages(run_dir)
    times = ", ".join(f"{name} {stage['seconds']:.0f} s" for name, stage in stages.items())
    memory = max(stage["peak_gib"] for stage in stages.values())
    return (
        f"success {summary['successes']}/{summary['episodes']} = {summary['success_rate']:.1%} "
        f"(95% Wilson interval {low:.1%} to {high:.1%}) with the checkpoint of step {step}; "
        f"{times}, all {total_s:.0f} s; "
        f"largest process {memory:.1f} GiB; videos: {folder / 'videos'}; "
        f"report: {run_dir / 'report.html'}"
    )
