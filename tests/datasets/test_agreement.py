"""The majority of the demonstrations is the reference: the odd one is named, wherever it is."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.datasets.opening import config_of
from s2robot.datasets.tools.validation import validate
from s2robot.errors import UserError
from tests.datasets.small_files import Demo, demo, picture, without, write

FRAMES = picture(6, 16, 16)
ODD = {
    "floats": (FRAMES / 255, "found float64 of shape (6, 16, 16, 3), expected frames"),
    "channels first": (FRAMES.transpose(0, 3, 1, 2), "found uint8 of shape (6, 3, 16, 16), expected frames"),
    "gray": (FRAMES[..., :1], "found uint8 of shape (6, 16, 16, 1), expected frames"),
    "RGBA": (np.concatenate([FRAMES, FRAMES[..., :1]], -1), "found uint8 of shape (6, 16, 16, 4)"),
    "16 bits": (FRAMES.astype(np.uint16), "found uint16 of shape (6, 16, 16, 3), expected frames"),
    "another size": (picture(6, 8, 16), "found rows of shape (8, 16, 3), expected (16, 16, 3)"),
    "no pixels": (np.zeros((6, 0, 0, 3), np.uint8), "found rows of shape (0, 0, 3)"),
}


def three(odd: int, **arrays: np.ndarray) -> list[Demo]:
    usual: dict[str, Any] = {"obs__agentview_image": FRAMES}
    return [demo(seed=i, **(usual | (arrays if i == odd else {}))) for i in range(3)]


@pytest.mark.parametrize("odd", [0, 2])
@pytest.mark.parametrize("case", ODD)
def test_an_odd_camera_is_named_and_no_other(case: str, odd: int, tmp_path: Path) -> None:
    frames, told = ODD[case]
    path = write(tmp_path / "d.hdf5", three(odd, obs__agentview_image=frames))
    with pytest.raises(UserError) as raised:
        open_dataset(path)
    assert str(raised.value).startswith(f"{path}: demo_{odd}, obs/agentview_image: {told}")
    assert "more)" not in str(raised.value) and "\n" not in str(raised.value)
    errors = validate(config_of(path, {}), pixels=True, shown=False).errors
    assert [(error.episode, error.key) for error in errors] == [(f"demo_{odd}", "obs/agentview_image")]


def test_an_array_that_few_demonstrations_have_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", three(0, obs__extra_image=FRAMES))
    with pytest.raises(UserError, match=r"demo_0, obs/extra_image: only 1 of 3 demonstrations have it$"):
        open_dataset(path)
    assert list(open_dataset(path, cameras=["agentview"]).cameras) == ["agentview"]


@pytest.mark.parametrize("dtype", [np.int64, bool])
def test_integer_actions_of_one_demonstration_are_named(dtype: type, tmp_path: Path) -> None:
    actions: np.ndarray = np.ones((6, 7), dtype)
    dataset = open_dataset(write(tmp_path / "d.hdf5", three(1, actions=actions)))
    told = f"demo_1, actions: actions are {actions.dtype}, expected float64 as in most"
    assert [told in str(warning) for warning in dataset.warnings] == [True]


@pytest.mark.parametrize("shape", ["all", "one"])
def test_actions_that_are_a_single_value_are_no_empty_demonstration(shape: str, tmp_path: Path) -> None:
    demos = [demo(seed=i) for i in range(3)]
    path = write(tmp_path / "d.hdf5", demos)
    with h5py.File(path, "a") as file:
        for i in range(3) if shape == "all" else [1]:
            del file[f"data/demo_{i}/actions"]
            file[f"data/demo_{i}/actions"] = 3.0
    with pytest.raises(UserError, match="actions: it is a single value without a time axis") as raised:
        open_dataset(path)
    assert "0 steps" not in str(raised.value)
    assert len(validate(config_of(path, {}), shown=False).errors) == (3 if shape == "all" else 1)


def test_actions_and_frames_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    empty = np.zeros((6, 0, 0, 3), np.uint8)
    path = write(tmp_path / "frames.hdf5", [demo(seed=i, obs__agentview_image=empty) for i in range(2)])
    with pytest.raises(UserError, match=r"agentview_image: found rows of shape \(0, 0, 3\), which hold"):
        open_dataset(path)
    path = write(tmp_path / "actions.hdf5", [demo(seed=i, actions=np.zeros((6, 0))) for i in range(2)])
    with pytest.raises(UserError, match=r"actions: found rows of shape \(0,\), which hold nothing"):
        open_dataset(path)


def test_a_mask_of_a_demonstration_at_fault_is_no_empty_one(tmp_path: Path) -> None:
    demos = [*three(2)[:2], without(demo(seed=2), "obs/agentview_image")]
    masks = {"train": ["demo_0", "demo_1"], "valid": ["demo_2"]}
    findings = validate(config_of(write(tmp_path / "d.hdf5", demos, masks=masks), {}), shown=False)
    assert [error.episode for error in findings.errors] == ["demo_2"]
    assert not [warning for warning in findings.warnings if warning.key.startswith("mask")]
    gone = write(tmp_path / "e.hdf5", demos, masks={**masks, "valid": ["demo_9"]})
    findings = validate(config_of(gone, {}), shown=False)
    assert ["that it names: demo_9" in str(w) for w in findings.warnings if w.key == "mask/valid"] == [True]
