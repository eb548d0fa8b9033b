"""Workers that raise, hang or die, and rollouts that are interrupted."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from s2robot.rollouts.episodes import RolloutError, iter_episodes, run_episodes
from tests.rollouts.rollout_cases import SEEDS, nothing_left_behind, numbers, words  # noqa: F401 (fixture)
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import LAZY, TINY


@pytest.mark.parametrize(("trouble", "timeout_s"), [("exit", 60), ("hang", 2), ("raise", 60)])
def test_a_seed_that_fails_once_is_run_again(tmp_path: Path, trouble: str, timeout_s: float) -> None:
    log, expected = tmp_path / "log", run_episodes(TinyActor(), TINY, SEEDS, workers=1)
    kwargs = {"trouble": trouble, "trouble_seed": 4, "once": str(tmp_path / "once"), "log": str(log)}

    results = run_episodes(TinyActor(), TINY, SEEDS, kwargs, workers=2, step_timeout_s=timeout_s)

    assert numbers(results) == numbers(expected)
    assert Counter(words(log, "reset")) == {f"reset:{seed}": 1 + (seed == 4) for seed in SEEDS}


@pytest.mark.parametrize(
    ("trouble", "timeout_s", "told"),
    [
        ("exit", 60, "seed 4: died with exit code 7"),
        ("hang", 2, "seed 4: gave no answer for 2 s"),
        ("raise", 60, "seed 4: raised RuntimeError: the arm fell off"),
    ],
)
def test_a_seed_that_fails_twice_is_reported_after_the_others(
    tmp_path: Path, trouble: str, timeout_s: float, told: str
) -> None:
    log = tmp_path / "log"
    finished: list[Any] = []
    kwargs = {"trouble": trouble, "trouble_seed": 4, "log": str(log)}

    with pytest.raises(RolloutError, match=told):
        run_episodes(
            TinyActor(),
            LAZY,
            SEEDS,
            kwargs,
            finished.append,
            workers=2,
            step_timeout_s=timeout_s,
            record=3,
            video_dir=tmp_path / "videos",
        )

    assert {r.seed for r in finished} == set(SEEDS) - {4}
    assert words(log, "reset").count("reset:4") == 2
    names = sorted(p.name for p in (tmp_path / "videos").iterdir())
    assert names == ["seed_1.json", "seed_1.mp4", "seed_3.json", "seed_3.mp4"]


def test_a_killed_worker_is_replaced_and_its_unfinished_video_dropped(tmp_path: Path) -> None:
    expected = run_episodes(TinyActor(), TINY, SEEDS, workers=1)
    others = set(psutil.Process().children())
    results: list[Any] = []

    for result in iter_episodes(TinyActor(), TINY, SEEDS, workers=2, record=len(SEEDS), video_dir=tmp_path):
        if not results:
            worker = (set(psutil.Process().children()) - others).pop()
            os.kill(worker.pid, signal.SIGKILL)
        results.append(result)

    assert sorted(numbers(results)) == sorted(numbers(expected))
    assert len(list(tmp_path.glob("*.mp4"))) == len(SEEDS)
    assert not list(tmp_path.glob(".*"))


def test_an_interrupted_run_ends_its_workers_and_drops_unfinished_videos(tmp_path: Path) -> None:
    episodes = iter_episodes(TinyActor(), TINY, SEEDS, workers=2, record=7, video_dir=tmp_path)

    first = next(episodes)
    with pytest.raises(KeyboardInterrupt):
        episodes.throw(KeyboardInterrupt)

    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == []
    assert (tmp_path / f"seed_{first.seed}.mp4").exists()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_process_and_what_is_finished_is_kept(by: int) -> None:
    script = f"""
import signal, sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import TINY
from s2robot.rollouts.episodes import run_episodes
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born ignoring it
def tell(result):
    print(result.seed, flush=True)
run_episodes(TinyActor(), TINY, range(10**5), on_result=tell, workers=2)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    workers = psutil.Process(process.pid).children()

    process.send_signal(by)
    out, errors = process.communicate(timeout=30)

    assert len(workers) == 2
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    seeds = [int(word) for word in (first + out).split()]
    assert len(set(seeds)) == len(seeds) > 0
    if by == signal.SIGINT:
        assert errors.strip().endswith("KeyboardInterrupt")
        assert errors.count("Traceback") == 1  # this process's; the workers do not see the signal
