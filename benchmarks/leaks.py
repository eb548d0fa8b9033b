"""Whether memory, open files and processes grow in long runs: `python benchmarks/leaks.py`.

An evaluation of 1,000 episodes, and a training with 100 rollouts, of a tiny policy in PickCube. While they
run, the resident memory and the open files of all their processes are sampled. Compared are the medians of
the samples just after the first tenth and of the last ones: memory may grow by 20 MB, open files and
processes not at all. Ends with status 1 where they do.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from torture import finished, start
from torture_cases import TRAIN, prepare

SAMPLE_S = 0.5
MOST_MB = 20.0
WINDOW = 15  # samples that a median is of
SHORT = "env.kwargs={max_episode_steps: 8}"


@dataclass(frozen=True)
class Sample:
    """What a command and its children have at a moment."""

    done: int  # episodes or rollouts
    memory_mb: float  # resident, of all its processes
    main_mb: float
    files: int
    processes: int


def sampled(words: list[str], folder: Path, done: Callable[[Path], int]) -> list[Sample]:
    """Run a command to its end, sampling."""
    process = start(words, folder)
    samples: list[Sample] = []
    while process.poll() is None:
        time.sleep(SAMPLE_S)
        try:
            main = psutil.Process(process.pid)
            family = [main, *main.children(recursive=True)]
            memory = [one.memory_info().rss / 2**20 for one in family]
            files = sum(one.num_fds() for one in family)
        except psutil.NoSuchProcess:  # one that ended meanwhile
            continue
        samples.append(Sample(done(folder), sum(memory), memory[0], files, len(family)))
    if process.returncode:
        assert process.stderr is not None
        sys.exit(f"{' '.join(words)}: {process.stderr.read().strip()[-300:]}")
    return samples


def _lines(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


def _episodes(folder: Path) -> int:
    return _lines(folder / "trained" / "eval" / "default" / "episodes.jsonl")


def _rollouts(folder: Path) -> int:
    file = folder / "long" / "metrics.jsonl"
    return file.read_text().count("rollout/success_rate") if file.exists() else 0


def _report(name: str, samples: Sequence[Sample], whole: int) -> bool:
    """Print the growth from the first tenth on; whether it is too much."""
    later = [one for one in samples if whole / 10 <= one.done < whole]
    if len(later) < 3:
        sys.exit(f"{name}: only {len(later)} samples after a tenth of {whole}; it is too short to be judged")
    window = min(WINDOW, len(later) // 2)
    first, last = later[:window], later[-window:]

    def median(samples: Sequence[Sample], value: str) -> float:
        return statistics.median(getattr(one, value) for one in samples)

    too_much = False
    for value, most in (("memory_mb", MOST_MB), ("main_mb", MOST_MB), ("files", 0), ("processes", 0)):
        before, after = median(first, value), median(last, value)
        grown = after - before > most
        too_much |= grown
        print(
            f"{name:28}{value:12}{before:9.1f}{after:9.1f}{after - before:+8.1f}{'  grows' if grown else ''}",
            flush=True,
        )
    return too_much


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=1000, help="of the evaluation (default: 1000)")
    parser.add_argument("--rollouts", type=int, default=100, help="of the training (default: 100)")
    given = parser.parse_args()
    folder, grown = Path(tempfile.mkdtemp(prefix="s2robot-leaks-")), False
    evaluation = [
        "eval",
        "checkpoint=trained",
        f"episodes={given.episodes}",
        "workers=2",
        "device=cpu",
        SHORT,
    ]
    training = [
        *(word for word in TRAIN if not word.startswith(("optim.steps", "optim.log_every"))),
        *("run_dir=long", f"optim.steps={2 * given.rollouts}", "optim.log_every=10", "rollout.every=2"),
        *("rollout.episodes=2", SHORT),
    ]
    try:
        prepare(lambda words: finished(words, folder), evaluates=True)
        print(f"{'':28}{'':12}{'a tenth':>9}{'end':>9}{'growth':>8}", flush=True)
        for name, words, done, whole in (
            (f"eval, {given.episodes} episodes", evaluation, _episodes, given.episodes),
            (f"train, {given.rollouts} rollouts", training, _rollouts, given.rollouts),
        ):
            grown |= _report(name, sampled(words, folder, done), whole)
    finally:
        shutil.rmtree(folder)
    sys.exit(grown)


if __name__ == "__main__":
    main()
