"""A training encodes the episodes that it uses, and standardises with those that it trains on."""

from pathlib import Path

import pytest
import torch

from s2robot.datasets import open_dataset
from s2robot.encoders.cameras import CameraEncoders
from s2robot.features import FeaturesConfig, build
from s2robot.features.hashing import frame_hash
from s2robot.runs import checkpoint
from tests.features.frame_cases import records_in
from tests.training.tiny_training import run_training

SUBSET = ("data.train=valid", "data.valid=null", "optim.steps=0")  # one of three demonstrations


def test_a_subset_encodes_no_other_episode(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S2ROBOT_CACHE", str(tmp_path / "cache"))
    demos = open_dataset(demos_path)
    run_training(demos_path, tmp_path / "run", "bc", *SUBSET)
    (folder,) = (tmp_path / "cache" / "features").iterdir()  # both cameras are encoded in one way
    frames = [frame for camera in demos.cameras for frame in demos.read_frames("demo_2", camera)]
    stored = records_in(folder)["frame"].tolist()
    assert set(stored) == {frame_hash(frame) for frame in frames}


@pytest.mark.parametrize("options", [("optim.steps=0",), SUBSET], ids=["all", "a subset"])
def test_channel_statistics_are_those_of_training_frames(
    demos_path: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    run_training(demos_path, tmp_path / "run", "bc", *options)
    loaded, demos = checkpoint.load(tmp_path / "run" / "checkpoints" / "last"), open_dataset(demos_path)
    table = build(
        demos, "agentview", CameraEncoders.from_dict(loaded.encoders, "cpu", "torch"), FeaturesConfig(), False
    )
    train, _ = demos.splits(*(("valid", None) if options == SUBSET else ("train", "valid")))
    maps = table.gather(torch.from_numpy(demos.frames_of(train))[:, None]).map.double()
    every = table.gather(torch.arange(len(table))[:, None]).map.double()
    means = [
        buffer
        for name, buffer in loaded.policy.named_buffers()
        if name.endswith("agentview.normalizer.offset") or name.endswith("agentview_image.normalizer.offset")
    ]
    assert len(means) == 1
    torch.testing.assert_close(means[0].double(), maps.mean((0, 1, 3, 4)), rtol=1e-4, atol=1e-5)
    assert (means[0].double() - every.mean((0, 1, 3, 4))).abs().max() > 1e-3
