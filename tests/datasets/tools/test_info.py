"""`s2robot info`: what is in a dataset, as text, as JSON and as a picture."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from tests.commands.command_line import assert_one_line, status_here
from tests.datasets.lerobot.layouts import Recording
from tests.datasets.small_files import demo, picture, write


def info(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> dict:
    assert status_here(monkeypatch, "s2robot", "info", *words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_demonstrations(
    demos_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = info(capsys, monkeypatch, str(demos_path))
    with h5py.File(demos_path) as file:
        lengths = [len(file[f"data/demo_{i}/actions"]) for i in range(3)]
        lowest = min(file[f"data/demo_{i}/obs/robot0_eef_pos"][:, 2].min() for i in range(3))
    assert found["format"] == "robomimic"
    assert (found["episodes"], found["frames"], found["lengths"]) == (3, sum(lengths), lengths)
    assert found["cameras"] == {"agentview": [64, 64], "robot0_eye_in_hand": [64, 64]}
    assert found["low_dim"] == {
        "object": 10,
        "robot0_eef_pos": 3,
        "robot0_eef_quat": 4,
        "robot0_gripper_qpos": 2,
    }
    assert (found["action_dim"], found["fps"], found["env"]) == (7, 10.0, "s2robot/PickCube-v0")
    assert found["ranges"]["robot0_eef_pos"]["min"][2] == lowest
    assert found["masks"] == {"train": 2, "valid": 1}
    assert found["seeds"] == 3
    assert found["orientation"]["agentview"] == {"stored": "upright", "known_by": "s2robot"}


def test_lerobot(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = info(capsys, monkeypatch, str(Recording().write(tmp_path / "set")))
    assert (found["format"], found["version"]) == ("lerobot", "3.0")
    assert (found["episodes"], found["frames"], found["lengths"]) == (3, 28, [7, 12, 9])
    assert found["cameras"] == {"front": [64, 80], "wrist": [64, 80]}
    assert (found["low_dim"], found["action_dim"]) == ({"observation.state": 4}, 3)
    assert (found["fps"], found["env"]) == (10.0, None)
    assert found["tasks"] == ["push the block", "lift the cube"]


def test_the_sheet_shows_frames_of_all_cameras(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    red, blue = (np.full((6, 40, 60, 3), colour, np.uint8) for colour in ((250, 0, 0), (0, 0, 250)))
    path = write(tmp_path / "d.hdf5", [demo(obs__agentview_image=red, obs__wrist_rgb=blue)] * 2)
    sheet = tmp_path / "sheet.png"
    info(capsys, monkeypatch, str(path), "--sheet", str(sheet))
    pixels = np.asarray(Image.open(sheet)).astype(int)
    for colour in ((250, 0, 0), (0, 0, 250)):
        shown = (np.abs(pixels - colour).sum(-1) < 10).sum()
        assert shown == 2 * 4 * 40 * 60  # episodes, moments, pixels of a frame
    assert status_here(monkeypatch, "s2robot", "info", str(path), "--sheet", str(sheet)) == 2
    assert_one_line(capsys.readouterr().err, str(sheet), "exists")


def test_a_dataset_that_training_would_refuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No camera, no usual proprioception, numbers that are not finite, episodes of different lengths."""
    states = np.ones((6, 2))
    states[2] = np.nan, 5
    arrays = {"actions": np.zeros((6, 3)), "obs/joints": states, "obs/depth": np.ones((6, 40, 40, 1))}
    found = info(capsys, monkeypatch, str(write(tmp_path / "d.hdf5", [arrays], env_args=None)))
    assert found["cameras"] == {}
    assert (found["low_dim"], found["env"], found["fps"]) == ({"joints": 2}, None, None)
    assert found["ranges"]["joints"] == {"min": [1, 1], "max": [1, 5]}
    assert list(found["other"]) == ["obs/depth"]


def test_options_of_the_dataset_are_those_of_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "d.hdf5", [demo(obs__top_rgb=np.zeros((6, 8, 8, 3), np.uint8))])
    words = ["--data", "cameras={main: top_rgb}", "actions=[robot0_eef_quat]", "orientation=flipped_rows"]
    found = info(capsys, monkeypatch, str(path), *words)
    assert found["cameras"] == {"main": [8, 8]}
    assert found["action_dim"] == 4
    assert found["orientation"]["main"] == {
        "stored": "flipped_rows",
        "known_by": "the option orientation",
    }


def test_names_of_a_mapping_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(write(tmp_path / "d.hdf5", [demo(obs__images__top=picture(6, 4, 8))]))
    words = ["cameras.front=images/top", "cameras.side=agentview", "proprio.hand=robot0_eef_pos"]
    found = info(capsys, monkeypatch, path, "--data", *words, "actions.arm=actions")
    assert found["cameras"] == {"front": [4, 8], "side": [8, 6]}
    assert (found["proprio"], found["actions"], found["action_dim"]) == (["hand"], ["actions"], 7)
    assert status_here(monkeypatch, "s2robot", "info", path, "--data", *words, "actions.arm=actions") == 0
    assert "actions    actions: [" in capsys.readouterr().out
    assert status_here(monkeypatch, "s2robot", "info", path, "--data", "cameras=[side]", words[0]) == 2
    assert_one_line(capsys.readouterr().err, "--data cameras.front=...: cameras is given twice")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.mkdir(), "without a dataset of a known format (aloha, lerobot, robomimic)"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("text"), "not an HDF5 file"),
        (lambda path: None, "no dataset at"),
        (lambda path: h5py.File(path, "w").close(), "holds no demonstrations"),
        (lambda path: h5py.File(path, "w").create_group("data/demo_0").file.close(), "has actions or obs"),
    ],
)
@pytest.mark.parametrize("command", ["info", "validate"])
def test_what_is_no_dataset_is_one_line(
    command: str,
    make: Any,
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make(tmp_path / "it")
    assert status_here(monkeypatch, "s2robot", command, str(tmp_path / "it")) == 2
    assert_one_line(capsys.readouterr().err, str(tmp_path / "it"), told)
