"""`s2robot validate`: every fault of a dataset, each with its place."""

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.commands.command_line import status_here
from tests.datasets.small_files import demo, picture, write
from tests.datasets.tools.validating import said, validate


def test_good_demonstrations(
    demos_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors, _ = validate(capsys, monkeypatch, demos_path, "--pixels")
    assert errors == []


def test_all_faults_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = demo(seed=2)
    nan["obs/robot0_eef_pos"][3, 1] = np.nan
    both = demo(seed=3, obs__robot0_eef_quat=np.zeros((5, 4)))
    both["actions"][0, 0] = np.inf
    late = demo(seed=6)
    late["actions"][5, 6] = np.nan
    demos = {
        "demo_0": demo(seed=0),
        "demo_1": demo(seed=1, obs__agentview_image=picture(4)),
        "demo_2": nan,
        "demo_3": both,
        "demo_4": demo(seed=4, obs__robot0_eef_pos=np.zeros((6, 2))),
        "demo_5": {key: value for key, value in demo(seed=5).items() if key != "obs/agentview_image"},
        "demo_6": late,
        "demo_10": demo(seed=10, obs__robot0_eef_pos=np.zeros((0, 3))),
        "demo_7": {"obs/x": np.zeros((6, 1)), "actions": np.zeros((6, 7))},
    }
    path = write(tmp_path / "d.hdf5", demos)
    with h5py.File(path, "a") as file:
        file["data/demo_8/obs/x"] = np.zeros((6, 1))
        file.create_group("data/notes")
        file["data/demo_9"] = h5py.ExternalLink("gone.hdf5", "data/demo_0")
    errors, warnings = validate(capsys, monkeypatch, path, status=1)
    assert "neither actions nor obs: notes" in said(warnings, "", "data")
    assert "found 4 rows, expected 6" in said(errors, "demo_1", "obs/agentview_image")
    assert "row 3, column 1 is nan" in said(errors, "demo_2", "obs/robot0_eef_pos")
    assert "found 5 rows, expected 6" in said(errors, "demo_3", "obs/robot0_eef_quat")
    assert "row 0, column 0" in said(errors, "demo_3", "actions")
    assert "rows of shape (2,), expected (3,)" in said(errors, "demo_4", "obs/robot0_eef_pos")
    assert "not there" in said(errors, "demo_5", "obs/agentview_image")
    assert "row 5, column 6 is nan" in said(errors, "demo_6", "actions")
    assert said(errors, "demo_7", "obs/robot0_gripper_qpos")
    assert "found 0 rows, expected 6" in said(errors, "demo_10", "obs/robot0_eef_pos")
    assert "lacks 'actions'" in said(errors, "demo_8", "")
    assert "gone.hdf5" in said(errors, "demo_9", "")
    assert {one["file"] for one in errors} == {str(path)}
    assert "demo_0" not in {one["episode"] for one in errors}


def test_the_table_has_a_line_for_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = demo(seed=1, obs__agentview_image=picture(4), obs__robot0_eef_pos=np.zeros((5, 3)))
    path = write(tmp_path / "d.hdf5", [demo(), broken])
    assert status_here(monkeypatch, "s2robot", "validate", str(path)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(path)
    assert lines[1].split() == ["episode", "key", "problem"]
    assert sum(line.startswith("error") for line in lines) == 2
    assert lines[-1].startswith("2 errors")


def test_actions_that_are_clipped_constant_or_still(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    demos = [demo(steps=40, seed=i) for i in range(3)]
    for one in demos:
        one["actions"][:, 2] = 0.25
        one["actions"][:, 6] = np.sign(one["actions"][:, 6])  # a gripper's: two values, not clipped
        one["actions"][10:20, 1] = 1.0
    demos[2]["actions"][:] = demos[2]["actions"][0]
    errors, warnings = validate(capsys, monkeypatch, write(tmp_path / "d.hdf5", demos))
    assert errors == []
    told = said(warnings, "demo_0", "actions")
    assert "column 2 is 0.25 in every row" in told
    assert "column 1 is exactly 1" in told
    assert "column 6" not in told
    assert "40 actions are all the same" in said(warnings, "demo_2", "actions")


def test_copies_of_episodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    demos = [demo(seed=0), demo(seed=1), demo(seed=0)]
    masks = {"train": ["demo_0", "demo_1"], "valid": ["demo_2"]}
    _, warnings = validate(capsys, monkeypatch, write(tmp_path / "d.hdf5", demos, masks=masks))
    told = said(warnings, "demo_2", "")
    assert "copy of demo_0" in told
    assert "one is for training, the other for validation" in told


def test_time_stamps_that_fall(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = np.arange(6) / 10
    wrong, late = times.copy(), times.copy()
    wrong[3] = 0.1
    late[4:] += 1
    demos = [demo(seed=i, obs__timestamp=t) for i, t in enumerate((times, wrong, late))]
    errors, warnings = validate(capsys, monkeypatch, write(tmp_path / "d.hdf5", demos), status=1)
    assert "row 3 is 0.1 after 0.2" in said(errors, "demo_1", "obs/timestamp")
    assert "one of 1.1 before row 4" in said(warnings, "demo_2", "obs/timestamp")
    assert not said(errors + warnings, "demo_0", "obs/timestamp")


def test_frames_black_empty_frozen_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 30
    frames = [np.random.default_rng(i).integers(0, 255, (steps, 8, 6, 3), dtype=np.uint8) for i in range(6)]
    frames[0][4:7] = 3
    frames[1][9] = (10, 200, 30)
    frames[2][5:20] = frames[2][5]
    frames[3][1::5] = frames[3][0::5]
    frames[5] = frames[4]
    demos = [demo(steps, i, obs__agentview_image=seen) for i, seen in enumerate(frames)]
    path = write(tmp_path / "d.hdf5", demos)
    assert validate(capsys, monkeypatch, path) == ([], [])
    errors, warnings = validate(capsys, monkeypatch, path, "--pixels", status=1)
    key = "obs/agentview_image"
    assert "3 of 30 frames are black, the first in row 4" in said(errors, "demo_0", key)
    assert "1 of 30 frames are of a single colour, the first in row 9" in said(errors, "demo_1", key)
    assert "frozen: rows 5 to 19 are one frame" in said(errors, "demo_2", key)
    assert "6 of 30 frames are those before them" in said(warnings, "demo_3", key)
    assert "its frames are those of demo_4" in said(warnings, "demo_5", key)
    assert {one["episode"] for one in errors} == {"demo_0", "demo_1", "demo_2"}


def test_a_robot_that_rests_is_not_a_frozen_camera(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = demo(20, obs__agentview_image=np.repeat(picture(1), 20, 0))
    for key in ("obs/robot0_eef_pos", "obs/robot0_eef_quat", "obs/robot0_gripper_qpos"):
        one[key][:] = one[key][0]
    errors, _ = validate(capsys, monkeypatch, write(tmp_path / "d.hdf5", [one]), "--pixels")
    assert errors == []


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (lambda frames: frames[:, ::-1], "upside-down"),
        (lambda frames: frames[:, ::-1, ::-1], "rotated by 180 degrees"),
        (lambda frames: frames[:, :, ::-1], "mirrored"),
    ],
)
def test_frames_are_compared_with_a_new_rendering(
    turn: Any,
    told: str,
    demos_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "turned.hdf5"
    shutil.copy(demos_path, path)
    with h5py.File(path, "a") as file:
        for name in file["data"]:
            seen = file[f"data/{name}/obs/agentview_image"]
            seen[:] = turn(seen[:])
    errors, _ = validate(capsys, monkeypatch, path, "--pixels", status=1)
    assert told in said(errors, "demo_0", "obs/agentview_image")
    assert len(errors) == 1


def test_what_training_would_refuse_as_a_whole_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "d.hdf5", [{"actions": np.eye(6), "obs/joints": np.eye(6)}], env_args="nonsense")
    errors, warnings = validate(capsys, monkeypatch, path, status=1)
    told = " ".join(one["problem"] for one in errors)
    assert "has no camera" in told
    assert "no usual proprioception" in told
    assert "env_args" in " ".join(one["problem"] for one in warnings)
    without = ("--data", "cameras=[]", "proprio=[joints]")
    assert validate(capsys, monkeypatch, path, *without, status=0)[0] == []


def test_what_is_odd_in_all_demonstrations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    demos = [demo(seed=i, obs__time=np.arange(6) / 10, obs__wrist_image=picture(6, seed=i)) for i in range(2)]
    for one in demos:
        one["obs/robot0_eef_quat"] = 3 * one["obs/robot0_eef_quat"]
        one["obs/robot0_gripper_qpos"][:] = 0.04
        one["obs/matrix"] = one["obs/agentview_image"][:, :2, :4]
    demos.append(demo(steps=1, seed=3, obs__time=np.zeros(1)))
    demos[2] |= {"obs/wrist_image": picture(1, seed=3), "obs/matrix": picture(1, 2, 4)}
    path = write(tmp_path / "d.hdf5", demos, attributes={"fps": 30})
    _, warnings = validate(capsys, monkeypatch, path, "--pixels", status=0)
    assert "row 0 is a quaternion of length 3, expected 1 (and 1 more" in said(
        warnings, "demo_0", "obs/robot0_eef_quat"
    )
    assert "the same in all rows of each episode" in said(warnings, "demo_0", "obs/robot0_gripper_qpos")
    assert "its steps are 0.1, and 30 steps a second are said" in said(warnings, "demo_0", "obs/time")
    assert "its frames are 2x4 pixels" in said(warnings, "demo_0", "obs/matrix")
    assert "has a single step" in said(warnings, "demo_2", "")
    assert "frames are those of camera agentview of demo_1" in said(warnings, "demo_1", "obs/wrist_image")
    assert not said(warnings, "demo_0", "obs/robot0_eef_pos")


def test_arrays_for_each_step_that_training_does_not_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    demos = [demo(seed=i, rewards=np.zeros(6), force=np.zeros(6), table=np.eye(3)) for i in range(3)]
    demos[1] |= {"rewards": np.zeros(4), "force": np.zeros(9)}
    _, warnings = validate(capsys, monkeypatch, write(tmp_path / "d.hdf5", demos))
    assert "found 4 rows, expected 6" in said(warnings, "demo_1", "rewards")
    assert "found 9 rows, expected 6" in said(warnings, "demo_1", "force")
    assert not any(one["key"] == "table" for one in warnings)


def test_cameras_that_nobody_can_tell_apart_are_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "d.hdf5", [demo(obs__agentview_rgb=picture(6))])
    (error,), warnings = validate(capsys, monkeypatch, path, status=1)
    assert error["problem"].startswith("camera 'agentview' may be obs/agentview_image or obs/agentview_rgb")
    assert "camera" not in "".join(one["problem"] for one in warnings)
