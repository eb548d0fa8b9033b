"""`policy.head=cls`: trained on stored prefix tokens and rolled out on live ones, or refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from s2robot.datasets import open_dataset
from s2robot.encoders.cameras import CameraEncoders
from s2robot.features import build
from s2robot.rollouts.agent import Agent
from s2robot.runs import checkpoint
from s2robot.types import Features
from tests.commands.command_line import assert_one_line, status_here
from tests.tiny_vit import CHANNELS, NAME, random_vit
from tests.training.tiny_training import options, run_training


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_vit(tmp_path_factory.mktemp("weights") / "vit.safetensors")


@pytest.fixture(scope="module")
def trained_on_prefix(demos_path: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last checkpoint of a training with `policy.head=cls`."""
    run_dir = tmp_path_factory.mktemp("runs") / "cls"
    words = without_keypoints(demos_path, run_dir)
    with pytest.MonkeyPatch.context() as patch:
        assert status_here(patch, "train.py", *words, *eyes(weights), "policy.head=cls") == 0
    return run_dir / "checkpoints" / "last"


def without_keypoints(demos_path: Path, run_dir: Path) -> list[str]:
    return [word for word in options(demos_path, run_dir) if not word.startswith("policy.head_args")]


def eyes(weights: Path) -> list[str]:
    return [f"encoder.name={NAME}", f"encoder.weights={weights}", "encoder.sizes=[32,64]"]


def test_its_checkpoint_knows_their_shape_and_some_of_them(trained_on_prefix: Path) -> None:
    loaded = checkpoint.load(trained_on_prefix)
    shape = (1, 2 * CHANNELS)
    cameras = loaded.policy.spec.cameras
    assert {name: camera.prefix for name, camera in cameras.items()} == {
        "agentview": shape,
        "robot0_eye_in_hand": shape,
    }
    assert loaded.samples["prefix.agentview"].shape == (4, *shape)


def test_a_rollout_gives_what_was_trained_on(
    trained_on_prefix: Path, demos_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, demos = checkpoint.load(trained_on_prefix), open_dataset(demos_path)
    weights = loaded.config["encoder"]["weights"]
    encoders = CameraEncoders.from_dict(loaded.encoders, "cpu", "torch", weights)
    seen: dict[str, Features] = {}
    predict = loaded.policy.predict

    def noting(obs: Any, state: Any, generators: Any) -> Any:
        seen.update(obs.features)
        return predict(obs, state, generators)

    monkeypatch.setattr(loaded.policy, "predict", noting)
    agent = Agent(loaded.policy, encoders, torch.device("cpu"))
    obs = {f"{camera}_image": demos.read_frames("demo_0", camera)[None, 4:6] for camera in demos.cameras}
    obs |= {key: demos.low_dim(key)[None, 4:6] for key in loaded.policy.spec.proprio}
    agent.act(obs, [None], [torch.Generator()])
    for camera in demos.cameras:
        stored = build(demos, camera, encoders, progress=False).gather(torch.tensor([[4, 5]])).prefix
        assert stored is not None
        torch.testing.assert_close(seen[camera].prefix, stored.float(), rtol=2e-3, atol=2e-3)


def test_it_is_evaluated(
    trained_on_prefix: Path,
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("eval.py", f"checkpoint={trained_on_prefix}", "episodes=1", "workers=1", "backend=torch")
    assert status_here(monkeypatch, *words) == 2  # no file is opened because a checkpoint names it
    assert_one_line(capsys.readouterr().err, str(weights), "weights=FILE")
    assert status_here(monkeypatch, *words, f"weights={weights}") == 0
    assert " of 1 succeeded" in capsys.readouterr().out
    folder = trained_on_prefix.parents[1] / "eval" / "default"
    assert len([json.loads(line) for line in (folder / "episodes.jsonl").open()]) == 1


def test_other_heads_with_the_same_eyes_get_no_prefix(
    demos_path: Path, weights: Path, tmp_path: Path
) -> None:
    run_training(demos_path, tmp_path / "run", "bc", *eyes(weights), "optim.steps=0")
    loaded = checkpoint.load(tmp_path / "run" / "checkpoints" / "last")
    assert all(camera.prefix for camera in loaded.policy.spec.cameras.values())
    assert not loaded.policy.config.reads_prefix


def test_an_encoder_without_them_is_refused(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = without_keypoints(demos_path, tmp_path / "run")
    assert status_here(monkeypatch, "train.py", *words, "policy.head=cls") == 2
    told = (
        "policy.head=cls",
        "encoder 'lite0' has none",
        "choose attention, conv, mean, spatial_softmax, or",
    )
    assert_one_line(capfd.readouterr().err, *told)
    assert list(tmp_path.iterdir()) == []
