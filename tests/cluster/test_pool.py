"""The pool on two real nodes: every item once, lost actors and nodes replaced, unfit nodes named."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from s2robot.cluster import node, pool
from s2robot.cluster.pool import Pool
from s2robot.errors import UserError
from tests.cluster.conftest import NODE
from tests.cluster.workers import Doubles, Unfit


@pytest.fixture(autouse=True)
def connected_cluster(cluster: Cluster) -> None:
    """All tests here run on it."""


def test_every_item_is_done_once_by_an_actor_on_each_node(tmp_path: Path) -> None:
    found = list(Pool(ray, partial(Doubles, tmp_path, together=2), on_gpu=False).run(range(20)))
    assert sorted(number for number, _ in found) == list(range(0, 40, 2))
    assert len({process for _, process in found}) == 2
    assert len(list(tmp_path.glob("closed.*"))) == 2


def test_what_a_killed_actor_had_is_done_by_another(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wait").touch()
    results = Pool(ray, partial(Doubles, tmp_path), on_gpu=False).run(range(12))
    number, process = next(results)
    os.kill(process, signal.SIGKILL)
    (tmp_path / "wait").unlink()
    assert sorted([number, *(one for one, _ in results)]) == list(range(0, 24, 2))
    assert "an actor on node" in capfd.readouterr().err


def test_what_a_lost_node_had_is_done_by_the_others(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "wait").touch()
    leaving = cluster.add_node(**NODE)
    results = Pool(ray, partial(Doubles, tmp_path, together=3), on_gpu=False).run(range(24))
    found = [next(results)[0]]
    cluster.remove_node(leaving, allow_graceful=False)
    (tmp_path / "wait").unlink()
    assert sorted([*found, *(one for one, _ in results)]) == list(range(0, 48, 2))


def test_a_mistake_in_the_work_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="-1 is negative"):
        list(Pool(ray, partial(Doubles, tmp_path), on_gpu=False).run([-1]))


def test_nodes_that_cannot_work_are_named() -> None:
    with pytest.raises(UserError, match=r"node [\d.]+ cannot take part: .*nowhere.hdf5 is not there"):
        list(Pool(ray, Unfit, on_gpu=False).run([1]))


def test_other_sources_on_a_node_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "sources_sha256", lambda: "0" * 64)
    with pytest.raises(UserError, match="install the same version there"):
        list(Pool(ray, partial(Doubles, tmp_path), on_gpu=False).run([1]))
    assert len(node.sources_sha256()) == 64


def test_another_clock_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pool, "CLOCK_S", -1.0)
    assert [number for number, _ in Pool(ray, partial(Doubles, tmp_path), on_gpu=False).run([4])] == [8]
    assert "clock of node" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("cores", "gpus", "on_gpu", "expected"),
    [
        (2, 0, False, (1, {"num_cpus": 2, "num_gpus": 0})),
        (64, 0, False, (8, {"num_cpus": 8, "num_gpus": 0})),
        (64, 8, True, (8, {"num_cpus": 8, "num_gpus": 1})),
        (64, 0, True, (0, {"num_cpus": 64, "num_gpus": 1})),
        (0, 0, False, (0, {"num_cpus": 0, "num_gpus": 0})),
    ],
)
def test_actors_of_a_node(cores: int, gpus: int, on_gpu: bool, expected: Any) -> None:
    assert pool._actors({"CPU": cores, "GPU": gpus}, on_gpu) == expected


def test_a_cluster_with_another_ray_is_refused(cluster: Cluster) -> None:
    program = """
import sys, ray
from s2robot.cluster.connection import connected
from s2robot.commands.cli.console import one_line_errors
ray.__version__ = "2.51.0"
with one_line_errors(), connected(sys.argv[1]):
    print("connected")
"""
    words = [sys.executable, "-c", program, cluster.address]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    told = done.stderr.splitlines()[-1]
    assert told.startswith(f"error: cannot use the Ray cluster at '{cluster.address}': Version mismatch")
