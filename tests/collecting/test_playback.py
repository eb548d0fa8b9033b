"""`s2robot playback`: videos of episodes, and how far states and actions lead from what was recorded."""

import json
import shutil
from pathlib import Path

import h5py
import imageio_ffmpeg
import numpy as np
import pytest

from tests.commands.command_line import assert_one_line, status_here
from tests.datasets.small_files import demo, write

ORIGINS = ("observations", "states", "actions")


def play(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    path: Path,
    out: Path,
    origin: str,
    *more: str,
) -> dict:
    words = ["playback", str(path), "--episode", "demo_1", "--out", str(out), "--from", origin, *more]
    assert status_here(monkeypatch, "s2robot", *words, "--json") == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_episode_is_shown_as_it_was(
    origin: str,
    demos_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played = play(capsys, monkeypatch, demos_path, tmp_path / "v.mp4", origin)
    with h5py.File(demos_path) as file:
        length = len(file["data/demo_1/actions"])
    assert played["frames"] == length
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "v.mp4"))
    assert (frames, round(seconds, 1)) == (length, length / 10)
    compared = {
        "observations": set(),
        "states": {"agentview, pixels", "robot0_eye_in_hand, pixels"},
        "actions": {"states", "object", "robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos"},
    }
    assert played["divergence"].keys() == compared[origin]
    assert {apart["largest"] for apart in played["divergence"].values()} <= {0.0}
    assert played["success"] is (True if origin == "actions" else None)


def test_another_action_or_frame_is_measured(
    demos_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "changed.hdf5"
    shutil.copy(demos_path, path)
    with h5py.File(path, "a") as file:
        one = file["data/demo_1"]
        one["actions_executed"][7, 0] = -1 if one["actions_executed"][7, 0] > 0 else 1
        one["obs/agentview_image"][4] = 255 - one["obs/agentview_image"][4]
    states = play(capsys, monkeypatch, path, tmp_path / "a.mp4", "actions")["divergence"]["states"]
    assert states["largest"] > 0.01
    assert states["step"] > 7
    pixels = play(capsys, monkeypatch, path, tmp_path / "s.mp4", "states")["divergence"]
    assert pixels["agentview, pixels"]["step"] == 4
    assert pixels["robot0_eye_in_hand, pixels"]["largest"] == 0


def test_chosen_actions_are_executed(
    demos_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "more.hdf5"
    shutil.copy(demos_path, path)
    with h5py.File(path, "a") as file:
        for one in file["data"].values():
            one["mirrored"] = -one["actions_executed"][:]
    played = play(capsys, monkeypatch, path, tmp_path / "m.mp4", "actions", "data.actions=[mirrored]")
    assert played["divergence"]["states"]["largest"] > 0.01
    assert played["success"] is False


def test_fewer_states_than_actions_are_one_line(
    demos_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "short.hdf5"
    shutil.copy(demos_path, path)
    with h5py.File(path, "a") as file:
        for one in file["data"].values():
            states = one["states"][:2]
            del one["states"]
            one["states"] = states
    for origin in ("states", "actions"):
        words = ("playback", str(path), "--episode", "demo_1", "--out", str(tmp_path / "v.mp4"))
        assert status_here(monkeypatch, "s2robot", *words, "--from", origin) == 2
        assert_one_line(capsys.readouterr().err, "demo_1, states: found 2 rows, expected a state for each")
    assert status_here(monkeypatch, "s2robot", "validate", str(path), "--pixels") in (0, 1)


def test_without_states_the_seed_is_the_start(
    demos_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.hdf5"
    shutil.copy(demos_path, path)
    with h5py.File(path, "a") as file:
        del file["data/demo_1/states"]
    played = play(capsys, monkeypatch, path, tmp_path / "a.mp4", "actions")
    assert played["divergence"]["robot0_eef_pos"]["largest"] == 0
    assert played["success"]


def test_what_cannot_be_shown_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "d.hdf5", [demo()], env_args=None)
    cases = [
        (["--episode", "demo_00"], "did you mean 'demo_0'"),
        (["--episode", "demo_0", "--from", "states"], "has no states"),
        (["--episode", "demo_0", "--from", "actions"], "names no environment"),
        (["--episode", "demo_0", "--from", "action"], "did you mean 'actions'"),
        (["--episode", "demo_0", "--fps", "0"], "--fps 0"),
        (["--episode", "demo_0", "--data", "cameras=[]"], "has no camera"),
    ]
    for words, told in cases:
        out = ["--out", str(tmp_path / "v.mp4")]
        assert status_here(monkeypatch, "s2robot", "playback", str(path), *words, *out) == 2
        assert_one_line(capsys.readouterr().err, told)
    words = ["playback", str(path), "--episode", "demo_0", "--out", str(tmp_path / "v.gif")]
    assert status_here(monkeypatch, "s2robot", *words) == 2
    assert_one_line(capsys.readouterr().err, "ends in .mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["d.hdf5"]


def test_cameras_of_different_sizes_are_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrist = np.zeros((6, 20, 30, 3), np.uint8)
    path = write(tmp_path / "d.hdf5", [demo(), demo(seed=1, obs__wrist_image=wrist)][::-1][:1] * 2)
    assert play(capsys, monkeypatch, path, tmp_path / "v.mp4", "observations")["frames"] == 6
