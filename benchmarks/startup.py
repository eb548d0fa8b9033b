"""How long commands take until they do something, beside `python -c "import torch"`; medians of five.

python benchmarks/startup.py [--checkpoint runs/demo/checkpoints/last] [--turns 5]

The commands take turns, so that a machine that is slow for a while is slow for all of them. With a
checkpoint, `s2robot eval` is measured from its start until its first decision.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

REFERENCE = "import torch"
FIRST_DECISION = """
import sys, time
from s2robot.commands.cli import main
from s2robot.rollouts import agent

def act(*_):
    print("first decision", flush=True)
    raise KeyboardInterrupt

agent.Agent.act = act
main(sys.argv[1:])
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, help="measure `s2robot eval` until its first decision")
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        a, b = (_evaluation(Path(folder, name)) for name in "ab")
        needed = ["data.path=d.hdf5", "run_dir=r"]
        commands = {
            REFERENCE: ([sys.executable, "-c", REFERENCE], 0),
            "s2robot train --help": (_s2robot("train", "--help"), 0),
            "s2robot train, a mistyped option": (_s2robot("train", "optim.step=1", *needed), 2),
            "s2robot compare": (_s2robot("compare", a, b), 0),
        }
        if arguments.checkpoint:
            words = [f"checkpoint={arguments.checkpoint}", "episodes=1", f"name={Path(folder).name}"]
            commands["s2robot eval, first decision"] = (
                [sys.executable, "-c", FIRST_DECISION, "eval", *words],
                130,
            )
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(arguments.turns):
            for name, (command, status) in commands.items():
                seconds[name].append(_timed(command, status))
        if arguments.checkpoint:
            run_dir = arguments.checkpoint.absolute().parents[1]
            if (made := run_dir / "eval" / Path(folder).name).exists():  # by an evaluation that had results
                shutil.rmtree(made)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        print(f"{name:34} {median:6.2f} s  {median / medians[REFERENCE]:5.2f} of {REFERENCE!r}")


def _s2robot(*words: str) -> list[str]:
    return [sys.executable, "-m", "s2robot", *words]


def _timed(command: Sequence[str], status: int) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode != status:
        raise SystemExit(f"`{' '.join(command)}` ended with status {done.returncode}: {done.stderr}")
    return seconds


def _evaluation(folder: Path) -> str:
    """An evaluation folder of 400 episodes to compare; its path."""
    folder.mkdir()
    (folder / "seeds.json").write_text(json.dumps({"env_id": "s2robot/PickCube-v0", "env_kwargs": {}}))
    episode = {"success": True, "steps": 10, "return": 1.0, "wall_s": 0.1, "video": None}
    lines = [json.dumps({"seed": seed, **episode}) for seed in range(400)]
    (folder / "episodes.jsonl").write_text("\n".join(lines) + "\n")
    return str(folder)


if __name__ == "__main__":
    main()
