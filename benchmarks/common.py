"""Demonstrations, trainings and evaluations by the commands that a user types, none of them done twice.

What is finished is found in its folder and left as it is: a benchmark that was stopped goes on where it was.
An evaluation that was stopped is carried on, a training begins anew.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from s2robot.evaluation.episodes_file import read_episodes
from s2robot.evaluation.success_rate import wilson_interval
from s2robot.rollouts.results import EpisodeResult
from s2robot.runs import folder as run_folder

ROOT = Path(__file__).resolve().parents[1]
DONE = "benchmark.json"  # in a run folder: the options of its finished training


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def demonstrations(path: Path, env_id: str, *options: str, episodes: int = 120) -> Path:
    """Demonstrations of the scripted expert at `path`, made if they are not there."""
    if not path.exists():
        _run("s2robot", "collect", "--env", env_id, "--episodes", str(episodes), "--out", str(path), *options)
    return path


def trained(run_dir: Path, *options: str) -> float:
    """Train into `run_dir` unless it was with the same options; the seconds that its steps took."""
    done = run_dir / DONE
    if not done.exists() or json.loads(done.read_text()) != list(options):
        done.unlink(missing_ok=True)
        _run("s2robot", "train", *options, f"run_dir={run_dir}", "overwrite=true")
        done.write_text(json.dumps(options))
    return run_folder.read_stages(run_dir)["train"]["seconds"]


def evaluated(run_dir: Path, name: str, episodes: int, *options: str) -> list[EpisodeResult]:
    """Evaluate the last checkpoint on the first `episodes` seeds of `s2robot eval` unless it was done."""
    folder = run_dir / "eval" / name
    plan = folder / "seeds.json"
    same = plan.exists() and len(json.loads(plan.read_text())["seeds"]) == episodes
    if not (same and (folder / "summary.json").exists()):
        words = [f"checkpoint={run_dir}", f"episodes={episodes}", f"name={name}", *options]
        _run("s2robot", "eval", *words, f"overwrite={str(not same).lower()}")
    return read_episodes(folder / "episodes.jsonl")


def rate(results: Sequence[EpisodeResult]) -> str:
    """`97 of 100 = 97.0% [91.5, 99.0]`, the interval Wilson's."""
    successes, n = sum(result.success for result in results), len(results)
    low, high = wilson_interval(successes, n)
    return f"{successes} of {n} = {successes / n:.1%} [{100 * low:.1f}, {100 * high:.1f}]"


def _run(*command: str) -> None:
    """Run a command from the repository's root; what it says is shown only if it fails."""
    say(f"$ {' '.join(command)}")
    process = [sys.executable, "-m", *command]  # of this Python, whose environment need not be activated
    done = subprocess.run(process, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\nthe command above ended with status {done.returncode}")
    say(done.stdout.strip().splitlines()[-1])
