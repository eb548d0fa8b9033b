"""A LeRobot folder and its robomimic conversion are the same to a training, to the last bit."""

from pathlib import Path

import pytest

from s2robot.datasets import open_dataset
from s2robot.datasets.options import DataConfig
from s2robot.datasets.tools.converting import convert
from s2robot.runs import metrics
from tests.datasets.lerobot.layouts import Recording
from tests.training.tiny_training import run_training


def losses(run_dir: Path) -> list[dict]:
    timed = ("speed/samples_per_s", "speed/waiting_for_data")
    return [{k: v for k, v in line.items() if k not in timed} for line in metrics.read(run_dir)]


def test_the_losses_are_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Recording(lengths=(7, 12, 9, 8, 6, 7, 8, 9, 6, 7)).write(tmp_path / "set")
    convert(DataConfig(path=str(folder)), tmp_path / "a.hdf5", lossless=True)
    frames = sum(open_dataset(folder).lengths)
    run_training(folder, tmp_path / "lerobot")
    capsys.readouterr()
    run_training(tmp_path / "a.hdf5", tmp_path / "robomimic")
    assert f"features of front: 0 frames encoded, {frames} found" in capsys.readouterr().out
    found = losses(tmp_path / "robomimic")
    assert found == losses(tmp_path / "lerobot")
    assert any("valid/loss" in line for line in found)
