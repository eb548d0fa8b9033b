"""GR00T's `meta/modality.json` gives names to parts of the state and of the action."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.datasets.lerobot.conversion import plan_of
from s2robot.datasets.robomimic_conversion import plan_of as robomimic_plan_of
from s2robot.errors import UserError
from tests.datasets.lerobot.layouts import Recording, opened

MODALITY = {
    "state": {"arm": {"start": 0, "end": 3}, "gripper": {"start": 3, "end": 4}},
    "action": {"lift": {"start": 2, "end": 3}, "moved": {"start": 0, "end": 2, "original_key": "action"}},
    "video": {"front": {"original_key": "observation.images.front"}},
}


def written(root: Path, said: Any) -> Recording:
    recording = Recording(version="v2.1", images="png", lengths=(4, 5))
    recording.write(root)
    (root / "meta/modality.json").write_text(json.dumps(said))
    return recording


def test_parts_are_chosen_by_name(tmp_path: Path) -> None:
    recording = written(tmp_path / "set", MODALITY)
    options: Any = {"proprio": ["state.gripper", "state.arm"], "actions": ["action.lift", "action.moved"]}
    dataset = open_dataset(tmp_path / "set", **options)

    state, action = (np.concatenate([of(i) for i in range(2)]) for of in (recording.state, recording.action))
    found = dataset.proprioception()
    np.testing.assert_array_equal(found["state.gripper"], state[:, 3:])
    np.testing.assert_array_equal(found["state.arm"], state[:, :3])
    np.testing.assert_array_equal(dataset.actions(), action[:, [2, 0, 1]])
    with pytest.raises(UserError, match=r"action\.lift holds actions"):
        open_dataset(tmp_path / "set", proprio=["action.lift"])


def test_parts_are_no_arrays_to_convert(tmp_path: Path) -> None:
    """Unless they are chosen: the whole that they are of is converted."""
    written(tmp_path / "set", MODALITY)
    plain = open_dataset(tmp_path / "set")
    arrays = robomimic_plan_of(plain).arrays.values()
    plan = plan_of(plain, lossless=True)
    assert "observation.state" in arrays
    used = {*arrays, *plan.extras.values()}.union(*plan.columns.values())
    assert not {"observation.state.arm", "action.lift"} & used


@pytest.mark.parametrize(
    "part",
    [
        {"start": 0, "end": 5},
        {"start": 2, "end": 2},
        {"start": -1, "end": 2},
        {"start": 0, "end": True},
        {"start": 0, "end": 1, "original_key": "observation.images.front"},
        {"start": 0, "end": 1, "original_key": ["action"]},
        {"start": 0, "end": 1, "original_key": "timestamp"},
        [0, 3],
    ],
)
def test_parts_that_do_not_fit_are_said(tmp_path: Path, part: Any) -> None:
    written(tmp_path / "set", {"state": {"arm": part, "grip": {"start": 3, "end": 4}}})
    source = opened(tmp_path / "set")
    assert ["state.arm is" in str(warning) for warning in source.warnings] == [True]
    assert "observation.state.grip" in source.episodes[0].arrays
    assert "observation.state.arm" not in source.episodes[0].arrays


@pytest.mark.parametrize("said", [[], {"state": [1]}, {"state": None}, 3])
def test_another_content_names_no_parts(tmp_path: Path, said: Any) -> None:
    written(tmp_path / "set", said)
    assert opened(tmp_path / "set").read(0, "observation.state").shape == (4, 4)
