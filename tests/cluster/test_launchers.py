"""Sweeps whose jobs run in other processes: four tiny trainings, features built once."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.cluster_utils import Cluster

from hydra_plugins.s2robot_ray.launcher import _check_room
from s2robot.commands.cli.launchers import LAUNCHERS
from s2robot.commands.cli.sweeps import Sweep
from s2robot.errors import UserError
from tests.commands.command_line import assert_one_line, status_here
from tests.training.tiny_training import options


@pytest.mark.parametrize("launcher", ["joblib", "ray"])
def test_four_jobs_build_the_features_once(
    launcher: str, demos_path: Path, tmp_path: Path, cluster: Cluster
) -> None:
    """A real sweep, of 6 processes: seconds that nothing smaller can stand for."""
    where = "address=" + cluster.address if launcher == "ray" else "n_jobs=2"
    jobs = ["run_dir=runs/${seed}", "seed=0,1,2,-3", "optim.steps=1"]
    store = f"features.root={tmp_path / 'features'}"
    chosen = [f"hydra/launcher={launcher}", f"hydra.launcher.{where}", store]
    words = options(demos_path, tmp_path, "bc", *chosen, *jobs)

    done = subprocess.run(
        [sys.executable, "-m", "s2robot", "train", "-m", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2, done.stdout + done.stderr
    failed = "error: 1 job failed: job 4 of 4: seed=-3 (seed=-3 must be at least 0)"
    assert done.stderr.splitlines()[-1] == failed
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "features"}
    for seed in "012":
        run = tmp_path / "runs" / seed
        checkpoint = json.loads((run / "checkpoints" / "last" / "checkpoint.json").read_text())
        assert checkpoint["step"] == 1
    written = list((tmp_path / "features").glob("*/segments/*"))  # one by each build that encoded frames
    assert len(written) == 2  # of the two cameras


def test_a_job_that_no_node_can_hold(capsys: pytest.CaptureFixture[str]) -> None:
    small = SimpleNamespace(nodes=lambda: [{"Alive": True, "Resources": {"CPU": 2.0}}])
    _check_room(small, 2, 0, None)
    with pytest.raises(UserError, match=r"3 CPUs and 0 GPUs .*lower hydra\.launcher\.num_cpus"):
        _check_room(small, 3, 0, None)
    _check_room(small, 1, 1, "auto")  # a cluster that may grow
    assert "1 CPUs and 1 GPUs" in capsys.readouterr().err


def test_jobs_that_all_ended_elsewhere_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "0.json").write_text(json.dumps({"title": "job 1", "status": 0, "said": ""}))
    Sweep([], "joblib", tmp_path).conclude()
    assert capsys.readouterr().out == "1 job finished\n"


@pytest.mark.parametrize("launcher", sorted(LAUNCHERS.keys() - {"basic"}))
def test_a_launcher_that_is_not_installed_names_its_extra(
    launcher: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    words = ["-m", f"hydra/launcher={launcher}", "data.path=d.hdf5", "seed=0,1", "run_dir=r/${seed}"]
    assert status_here(monkeypatch, "train.py", *words) == 2
    assert_one_line(capsys.readouterr().err, f"pip install 's2robot[{LAUNCHERS[launcher].extra}]'")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["hydra/launcher=joblib", "run_dir=r"], "add -m"),
        (["-m", "hydra/launcher=jobli", "seed=0,1", "run_dir=r/${seed}"], "did you mean 'joblib'"),
    ],
)
def test_a_launcher_that_cannot_be_is_refused(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_here(monkeypatch, "train.py", "data.path=d.hdf5", *words) == 2
    assert_one_line(capsys.readouterr().err, told)
