"""Demonstrations, trainings and evaluations by the commands that a user types, none of them done twice.

What is finished is found in its folder and left as it is: a benchmark that was stopped goes on where it was,
a training at its last checkpoint, an evaluation after its last episode.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from s2robot.evaluation.episodes_file import read_episodes
from s2robot.evaluation.success_rate import wilson_interval
from s2robot.files import write_text
from s2robot.rollouts.results import EpisodeResult
from s2robot.runs import folder as run_folder

ROOT = Path(__file__).resolve().parents[1]
STATE = "benchmark.json"  # in a run folder: the options of its training, and whether it is finished


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def demonstrations(path: Path, env_id: str, *options: str, episodes: int = 120) -> Path:
    """Demonstrations of the scripted expert at `path`, made if they are not there."""
    if not path.exists():
        _run("s2robot", "collect", "--env", env_id, "--episodes", str(episodes), "--out", str(path), *options)
    return path


def trained(run_dir: Path, *options: str) -> float:
    """Train into `run_dir` unless it was with the same options; the seconds that its steps took.

    Of a training that was stopped and went on, they are those of its last part.
    """
    state = run_dir / STATE
    found = json.loads(state.read_text()) if state.exists() else None
    begun, finished = ({"options": list(options), "finished": done} for done in (False, True))
    if found != finished:
        goes_on = found == begun and run_folder.has_checkpoint(run_dir)
        run_dir.mkdir(parents=True, exist_ok=True)
        write_text(state, json.dumps(begun))
        _run(
            "s2robot", "train", *options, f"run_dir={run_dir}", "resume=true" if goes_on else "overwrite=true"
        )
        write_text(state, json.dumps(finished))
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
