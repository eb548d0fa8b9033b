"""A dataset without an environment: trained on, validated offline, reported, and not evaluated."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from s2robot.commands.cli.entry import options_of
from s2robot.datasets import open_dataset
from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.costs import cost
from s2robot.evaluation.offline import OfflineValidation
from s2robot.evaluation.validation_file import read_validation, write_validation
from s2robot.features import build
from s2robot.runs import checkpoint
from tests.commands.command_line import assert_one_line, status_here
from tests.datasets.small_files import demo, write
from tests.training.tiny_training import STEPS, options, run_training


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demonstrations as of a real robot: the file names no environment."""
    path = tmp_path_factory.mktemp("real") / "d.hdf5"
    return write(path, [demo(6, seed) for seed in range(10)], env_args=None)


@pytest.fixture(scope="module")
def run_dir(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "real"
    run_training(real, run_dir)
    return run_dir


def test_a_training_leaves_the_errors_of_its_averaged_weights(
    real: Path, run_dir: Path, tmp_path: Path
) -> None:
    found = read_validation(run_dir)
    assert found is not None
    assert (found.step, found.demonstrations) == (STEPS, "validation")
    assert [one.name for one in found.episodes] == found.worst == ["demo_9"]

    config = options_of("train", options(real, run_dir))
    dataset = open_dataset(config.data)
    encoders = CameraEncoders.from_config(config.encoder, torch.device("cpu"))
    features = {camera: build(dataset, camera, encoders, config.features) for camera in dataset.cameras}
    averaged = checkpoint.load(run_dir / "checkpoints" / "last").policy
    again = OfflineValidation(averaged, dataset, features, [9], [], torch.device("cpu")).run(STEPS)
    written = json.loads(write_validation(tmp_path, again).read_text())
    assert written == json.loads((run_dir / "validation.json").read_text())


def test_it_has_a_report_and_no_evaluation(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert status_here(monkeypatch, "s2robot", "report", str(run_dir)) == 0
    assert "demo_9" in (run_dir / "report.html").read_text()
    capsys.readouterr()
    words = ("eval.py", f"checkpoint={run_dir}/checkpoints/last", "episodes=2")
    assert status_here(monkeypatch, *words) == 2
    told = ("names no environment", f"offline validation is in {run_dir}/validation.json")
    assert_one_line(capsys.readouterr().err, *told)


def test_without_validation_demonstrations_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    few = write(tmp_path / "d.hdf5", [demo(6, seed) for seed in range(3)], env_args=None)
    run_training(few, tmp_path / "run", "bc", "optim.steps=2", "data.valid=null")
    assert "3 training demonstrations replayed" in capsys.readouterr().out


def test_a_training_from_the_start_replaces_it(real: Path, tmp_path: Path) -> None:
    run_training(real, tmp_path / "run", "bc", "optim.steps=2")
    (tmp_path / "run" / "validation.json").write_text('{"dimensions": "of the training before"}')
    run_training(real, tmp_path / "run", "bc", "optim.steps=1", "overwrite=true")
    found = read_validation(tmp_path / "run")
    assert found is not None and found.step == 1


def test_it_says_how_much_was_trained_on_how_much_and_what_a_frame_costs(run_dir: Path) -> None:
    found = json.loads((run_dir / "sizes.json").read_text())

    last = checkpoint.load(run_dir / "checkpoints" / "last")
    encoder = last.config["encoder"]
    assert found["demonstrations"] == {"train": 9, "valid": 1}
    trained = dict(last.policy.named_parameters())
    assert found["policy_parameters"] == sum(one.numel() for one in trained.values())
    assert found["encoder_parameters"] == cost(encoder["name"], encoder["sizes"], timed=False).parameters
    encoders = CameraEncoders.from_dict(last.encoders, torch.device("cpu"), backend="torch")
    for name, camera in last.policy.spec.cameras.items():
        with FlopCounterMode(display=False) as counter:
            encoders.encode(name, np.zeros((1, *camera.size, 3), np.uint8))
        assert found["cameras"][name]["gflops"] == pytest.approx(counter.get_total_flops() / 1e9, abs=1e-4)
        assert found["cameras"][name]["feature_bytes"] == 2 * np.prod(camera.features)
