"""Offline validation against errors that are known, its file, and the report that draws it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.errors import UserError
from s2robot.evaluation.offline import OfflineValidation
from s2robot.evaluation.report import write_report
from s2robot.evaluation.validation_file import Validation, read_validation, write_validation
from s2robot.policies import Policy
from s2robot.types import Batch
from tests.datasets.small_files import demo, write

OWN = {"env_name": "s2robot/PickCube-v0", "env_kwargs": {}}
SPEED = 0.01  # of the actions of a demonstration, a step
LENGTHS = [7, 9, 11]


@dataclass
class Options:
    action_steps: int = 3
    obs_steps: int = 2
    horizon: int = 4
    obs_stride: int = 1
    reads_prefix: bool = False
    reads_executed: bool = False
    foreseen: tuple[int, ...] = ()


class Shifted(Policy):
    """Predicts what was demonstrated, a little more with each step of the chunk, and noise in dimension 5."""

    config: Any

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.config = Options()
        self.decisions: list[int] = []

    def predict_windows(self, batch: Batch, generators: Sequence[torch.Generator] | None = None) -> Tensor:
        assert generators is not None
        self.decisions += batch.windows.tolist()
        chunks = batch.actions.clone()
        steps = torch.arange(self.config.horizon)
        chunks[..., 0] += 0.1 * (steps + 1)
        chunks[..., 5] += torch.stack([torch.rand(len(steps), generator=one) for one in generators])
        chunks[..., 6] *= torch.where(steps == 2, -1, 1)  # the third is on the other side
        return chunks


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Dimension 0 runs from 0 to 0.5, 1 is constant but for rounding, 6 is a gripper's -1 or 1."""
    path = tmp_path_factory.mktemp("demos") / "d.hdf5"
    demos = []
    for seed, length in enumerate(LENGTHS):
        one = demo(length, seed)
        one["actions"][:, 0] = np.linspace(0, 0.5, length)
        one["actions"][:, 1] = np.where(np.arange(length) % 2, 0.25, 0.25 + 3e-8)  # one float32 apart
        one["actions"][:, 6] = np.where(np.arange(length) % 2, 1, -1)
        demos.append(one)
    return open_dataset(write(path, demos, OWN), cameras=[])


def replay(dataset: Dataset, valid: list[int], train: list[int] | None = None) -> Validation:
    return OfflineValidation(Shifted(), dataset, {}, valid, train or [0], torch.device("cpu")).run(12)


def test_errors_are_those_of_the_executed_steps(dataset: Dataset) -> None:
    found = replay(dataset, [0, 2])

    first, second, last = found.dimensions[0], found.dimensions[1], found.dimensions[6]
    assert [one.name for one in found.dimensions] == ["x", "y", "z", "rx", "ry", "rz", "gripper"]
    np.testing.assert_allclose(first.by_step, [0.1, 0.2, 0.3, 0.4], rtol=1e-5)
    steps = [0.1 * (t % 3 + 1) for length in (7, 11) for t in range(length)]  # chunks of three executed steps
    assert first.mean_absolute == pytest.approx(np.mean(steps), rel=1e-5)
    assert first.percentile_90 == pytest.approx(np.percentile(steps, 90), rel=1e-5)
    assert (first.low, first.high) == (0.0, 0.5)
    assert (second.mean_absolute, second.constant, first.constant) == (0.0, True, False)
    assert first.gripper_accuracy is None
    wrong = sum(t % 3 == 2 for length in (7, 11) for t in range(length))
    assert last.gripper_accuracy == found.gripper_accuracy == pytest.approx(1 - wrong / 18)
    assert (found.step, found.demonstrations, found.action_steps) == (12, "validation", 3)


def test_episodes_are_replayed_as_a_rollout_decides(dataset: Dataset) -> None:
    policy = Shifted()
    validation = OfflineValidation(policy, dataset, {}, [0, 2], [], torch.device("cpu"))
    found = validation.run(0)

    assert policy.decisions == [0, 3, 6, 7, 10, 13, 16]  # windows of the two episodes of 7 and 11 steps
    assert [(one.name, one.steps) for one in found.episodes] == [("demo_0", 7), ("demo_2", 11)]
    for one, episode in zip(found.episodes, (0, 2), strict=True):
        demonstrated = dataset.actions()[dataset.frames_of([episode])]
        assert one.demonstrated is not None
        np.testing.assert_allclose(one.demonstrated, demonstrated)
        shift = np.array(one.predicted)[:, 0] - demonstrated[:, 0]
        np.testing.assert_allclose(shift, 0.1 * (np.arange(one.steps) % 3 + 1), rtol=1e-4)
    errors = {one.name: one.relative_error for one in found.episodes}
    assert found.worst == sorted(errors, key=lambda name: errors[name], reverse=True)
    assert validation.run(0) == found


def test_training_demonstrations_are_replayed_where_there_are_no_others(dataset: Dataset) -> None:
    found = replay(dataset, [], [0, 1])
    assert found.demonstrations == "training"
    assert [one.name for one in found.episodes] == ["demo_0", "demo_1"]


def test_the_file_stays_small(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(600, 0), *(demo(4, seed) for seed in range(1, 30))])
    found = replay(open_dataset(path, cameras=[]), list(range(30)))
    assert len(found.episodes) == 30
    kept = {one.name: one for one in found.episodes if one.predicted is not None}
    assert len(kept) == 20
    assert set(found.worst) <= set(kept)
    assert kept["demo_0"].every == 2
    assert len(kept["demo_0"].demonstrated or ()) == len(kept["demo_0"].predicted or ()) == 300


def test_what_is_written_is_read(dataset: Dataset, tmp_path: Path) -> None:
    found = replay(dataset, [0, 1, 2])
    path = write_validation(tmp_path, found)
    assert path == tmp_path / "validation.json"
    read = read_validation(tmp_path)
    assert read is not None
    assert read.worst == found.worst
    assert read.episodes[0].predicted == pytest.approx(np.array(found.episodes[0].predicted), rel=1e-4)
    path.write_text('{"step": 1}')
    with pytest.raises(UserError, match=r"validation\.json has no 'demonstrations'"):
        read_validation(tmp_path)
    assert read_validation(tmp_path / "elsewhere") is None


def test_a_run_without_a_simulator_has_a_report(dataset: Dataset, tmp_path: Path) -> None:
    found = replay(dataset, [0, 1, 2])
    write_validation(tmp_path, found)
    html = write_report(tmp_path).read_text()
    plain = html[html.index("<body") : html.index("<script>")]
    words = " ".join(plain.split()).lower()
    for text in ("of 3 validation demonstrations,", "range; gripper on the", "all episodes"):
        assert text in words
    assert "without a simulator" not in words  # the same section stands beside success rates
    for name in found.worst:
        assert name in plain
    assert plain.count('data-name="predicted"') == 3 * 7  # episodes and dimensions
    assert "trained on these" not in plain
    write_validation(tmp_path, replay(dataset, [], [0]))
    html = " ".join(write_report(tmp_path).read_text().split())
    assert "trained on these" in html
    assert "Of 1 training demonstration, replayed open loop" in html


def test_the_file_is_plain_json(dataset: Dataset, tmp_path: Path) -> None:
    plain = json.loads(write_validation(tmp_path, replay(dataset, [1])).read_text())
    assert set(plain) == {
        "step", "demonstrations", "action_steps", "relative_error", "dimensions", "episodes", "worst"
    }  # fmt: skip
    assert set(plain["dimensions"][0]) == {
        "name", "unit", "low", "high", "mean_absolute", "percentile_90", "by_step", "constant",
        "gripper_accuracy",
    }  # fmt: skip


def test_batches_are_put_together_where_the_features_are(dataset: Dataset) -> None:
    """A policy on a GPU whose features stayed in RAM: indices on the GPU would not fit them."""
    policy, gpu, ram = Shifted(), torch.device("meta"), torch.device("cpu")
    assert OfflineValidation(policy, dataset, {}, [0], [], gpu).windows.actions.device == gpu
    assert OfflineValidation(policy, dataset, {}, [0], [], gpu, ram).windows.actions.device == ram
