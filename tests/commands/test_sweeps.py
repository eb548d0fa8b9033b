"""The jobs of a sweep: named, independent, and never trained into a folder that is deleted."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from s2robot.commands import train
from s2robot.commands.cli.sweeps import words_of_job
from s2robot.errors import UserError
from tests.commands.command_line import status_here


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(run_dir, data.path) of each job, seen from where the command was typed; seeds 1 and 2 fail."""
    done: list[tuple[str, str]] = []

    def main(config: Any) -> None:
        if config.seed == 1:
            raise UserError("seed 1 has bad luck")
        if config.seed == 2:
            raise ZeroDivisionError("a defect")
        if config.seed == 3:
            sys.exit(143)
        Path(config.run_dir).mkdir(parents=True, exist_ok=True)
        (Path(config.run_dir) / "checkpoint").touch()
        done.append((os.path.abspath(config.run_dir), os.path.abspath(config.data.path)))

    monkeypatch.setattr(train, "main", main)
    monkeypatch.chdir(tmp_path)
    return done


def test_jobs_are_named_and_a_failed_one_does_not_end_the_others(
    trained: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("-m", "data.path=d.hdf5", "seed=0,1,4", "run_dir=r/${seed}", "optim.steps=5")
    assert status_here(monkeypatch, "train.py", *words) == 2
    said = capsys.readouterr()
    for line in ("job 1 of 3: seed=0", "job 2 of 3: seed=1", "job 3 of 3: seed=4"):
        assert f"{line}\n" in said.out
    assert said.err.splitlines() == [
        "error: seed 1 has bad luck",
        "error: 1 job failed: job 2 of 3: seed=1",
    ]
    assert [Path(run_dir).name for run_dir, _ in trained] == ["0", "4"]


def test_a_defect_shows_its_traceback_and_the_others_go_on(
    trained: list, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("-m", "data.path=d.hdf5", "seed=2,0", "run_dir=r/${seed}")
    assert status_here(monkeypatch, "train.py", *words) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError: a defect" in said
    assert said.splitlines()[-1] == "error: 1 job failed: job 1 of 2: seed=2"
    assert len(trained) == 1


def test_a_signal_ends_the_sweep(trained: list, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("-m", "data.path=d.hdf5", "seed=3,0", "run_dir=r/${seed}")
    assert status_here(monkeypatch, "train.py", *words) == 143
    assert trained == []


def test_all_jobs_well(trained: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("-m", "data.path=d.hdf5", "seed=0,4", "run_dir=r/${seed}")
    assert status_here(monkeypatch, "train.py", *words) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"r"}


def test_the_words_of_a_job_train_it_alone(
    trained: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of `run.json`: no folder of Hydra's that is deleted, and no other job."""
    words: list[list[str]] = []
    monkeypatch.setattr(train, "main", lambda config: words.append(words_of_job(config.run_dir)))
    typed = ("data.path=d.hdf5", "policy=bc,act", "run_dir=r/${policy.name}")
    (tmp_path / "mine").mkdir()
    assert status_here(monkeypatch, "train.py", "-m", "--config-dir", "mine", *typed) == 0
    assert words == [
        ["--config-dir", str(tmp_path / "mine"), "data.path=d.hdf5", f"policy={name}", f"run_dir=r/{name}"]
        for name in ("bc", "act")
    ]
    assert status_here(monkeypatch, "train.py", "data.path=d.hdf5", "run_dir=r") == 0
    assert words[-1] == ["data.path=d.hdf5", "run_dir=r"]


HABITS = {
    "Hydra's folder": ["run_dir=${hydra:sweep.dir}/${hydra:job.num}"],
    "Hydra's output folder": ["run_dir=${hydra:runtime.output_dir}", "hydra.sweep.subdir=${hydra:job.num}"],
    "a folder of the sweep": ["run_dir=${hydra:sweep.dir}/${seed}", "hydra.sweep.dir=out"],
    "changing the folder": ["run_dir=r${seed}", "hydra.job.chdir=true"],
    "changing it to the job's": ["run_dir=r", "hydra.job.chdir=true", "hydra.sweep.subdir=${hydra:job.num}"],
}


@pytest.mark.parametrize("habit", HABITS)
def test_habits_of_hydra(habit: str, trained: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert status_here(monkeypatch, "train.py", "-m", "data.path=d.hdf5", "seed=0,4", *HABITS[habit]) == 0
    assert len({run_dir for run_dir, _ in trained}) == 2
    for run_dir, data in trained:
        assert (Path(run_dir) / "checkpoint").exists()
        assert Path(run_dir).is_relative_to(tmp_path)
        assert data == str(tmp_path / "d.hdf5")
    assert Path.cwd() == tmp_path


def test_changing_the_folder_of_a_single_job(
    trained: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("data.path=d.hdf5", "run_dir=r", "hydra.job.chdir=true", "hydra.run.dir=out")
    assert status_here(monkeypatch, "train.py", *words) == 0
    assert trained == [(str(tmp_path / "out" / "r"), str(tmp_path / "d.hdf5"))]
