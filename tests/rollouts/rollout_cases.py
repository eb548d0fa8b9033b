"""What tests of rollouts share: seeds, results as numbers, the log of `tiny_env`, no process left behind."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from s2robot.rollouts.results import EpisodeResult

SEEDS = [3, 1, 4, 15, 9, 2, 6]


def numbers(results: list[EpisodeResult]) -> list[tuple]:
    return [(r.seed, r.success, r.steps, r.return_) for r in results]


def words(log: Path, kind: str) -> list[str]:
    return [line for line in log.read_text().splitlines() if line.startswith(kind)]


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    process = psutil.Process()
    children, files = set(process.children(recursive=True)), process.num_fds()
    yield
    assert set(process.children(recursive=True)) <= children  # zombies are children, too
    assert process.num_fds() <= files
