"""`s2robot convert`: from LeRobot to robomimic and back, and what both of them read afterwards."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from robomimic.scripts import get_dataset_info
from robomimic.utils.dataset import SequenceDataset
from robomimic.utils.obs_utils import initialize_obs_utils_with_obs_specs

from s2robot.datasets import open_dataset
from tests.commands.command_line import assert_one_line, status_here
from tests.datasets.lerobot.layouts import Recording
from tests.datasets.small_files import demo, write

Run = Callable[..., dict]


@pytest.fixture
def convert(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*words: object) -> dict:
        told = [*map(str, words), "--json"]
        assert status_here(monkeypatch, "s2robot", "convert", *told) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_lerobot_to_robomimic(version: str, tmp_path: Path, convert: Run) -> None:
    recording = Recording(version=version)
    done = convert(recording.write(tmp_path / "set"), tmp_path / "a.hdf5")
    assert any("rewards" in line for line in done["lost"])
    source, copy = open_dataset(tmp_path / "set"), open_dataset(tmp_path / "a.hdf5")
    assert (copy.format, copy.episodes) == ("robomimic", ["demo_0", "demo_1", "demo_2"])
    assert copy.lengths == source.lengths
    assert (copy.fps, copy.tasks) == (10.0, source.tasks)
    assert list(copy.cameras) == list(source.cameras) == ["front", "wrist"]
    for camera in copy.cameras:
        for mine, other in zip(copy.episodes, source.episodes, strict=True):
            np.testing.assert_array_equal(copy.read_frames(mine, camera), source.read_frames(other, camera))
    np.testing.assert_array_equal(copy.actions(), source.actions())
    assert copy.proprioception().keys() == source.proprioception().keys()
    np.testing.assert_array_equal(copy.low_dim("observation.state"), source.low_dim("observation.state"))
    assert copy.splits("train", "valid") == source.splits("train", "valid")


def test_demonstrations_to_lerobot_and_back(demos_path: Path, tmp_path: Path, convert: Run) -> None:
    convert(demos_path, tmp_path / "set", "--lossless")
    convert(tmp_path / "set", tmp_path / "back.hdf5")
    source, back = open_dataset(demos_path), open_dataset(tmp_path / "back.hdf5")
    assert (back.episodes, back.seeds, back.fps) == (source.episodes, source.seeds, source.fps)
    assert back.env_args == source.env_args
    assert back.splits("train", "valid") == source.splits("train", "valid")
    np.testing.assert_array_equal(back.actions(), source.actions())
    np.testing.assert_array_equal(back.executed_actions(), source.executed_actions())
    assert back.proprioception().keys() == source.proprioception().keys()
    for key, values in source.proprioception().items():
        np.testing.assert_array_equal(back.proprioception()[key], values)
    with h5py.File(demos_path) as before, h5py.File(tmp_path / "back.hdf5") as after:
        for name in before["data"]:
            one, other = before[f"data/{name}"], after[f"data/{name}"]
            np.testing.assert_array_equal(one["states"], other["states"])
            np.testing.assert_array_equal(one["dones"], other["dones"])
            np.testing.assert_array_equal(one["rewards"], other["rewards"])
            np.testing.assert_allclose(one["obs/object"], other["obs/object"], atol=1e-6)  # float32
            for key in ("model_file", "seed", "success", "num_samples"):
                assert one.attrs[key] == other.attrs[key]
            for camera in ("agentview_image", "robot0_eye_in_hand_image"):
                np.testing.assert_array_equal(one[f"obs/{camera}"], other[f"obs/{camera}"])
    with pytest.raises(ValueError, match="privileged"):
        back.proprioception(["object"])


def test_robomimic_reads_a_conversion(
    tmp_path: Path, convert: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small: dict[str, Any] = {"lengths": (7, 12, 9)}
    path = tmp_path / "a.hdf5"
    convert(_within_the_box(Recording(**small).write(tmp_path / "set")), path)
    keys = ("front_image", "wrist_image", "observation.state")
    initialize_obs_utils_with_obs_specs({"obs": {"low_dim": [keys[2]], "rgb": list(keys[:2])}})
    dataset = SequenceDataset(
        hdf5_path=str(path),
        obs_keys=keys,
        dataset_keys=("actions", "rewards", "dones"),
        load_next_obs=False,
        seq_length=2,
    )
    assert (len(dataset), dataset.n_demos) == (28, 3)
    first = dataset[0]
    assert first["obs"]["front_image"].shape[-3:] in {(64, 80, 3), (3, 64, 80)}
    assert first["actions"].shape == (2, 3)
    assert [bool(dataset[i]["dones"][0]) for i in (5, 6, 7)] == [False, True, False]
    monkeypatch.setattr(sys, "argv", ["get_dataset_info.py", "--dataset", str(path)])
    capsys.readouterr()
    with open(get_dataset_info.__file__) as script:
        exec(compile(script.read(), "get_dataset_info.py", "exec"), {"__name__": "__main__"})
    assert "total transitions: 28" in capsys.readouterr().out


def _within_the_box(path: Path) -> Path:
    """The folder with actions in [-1, 1], outside of which robomimic's script refuses."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file in path.glob("data/*/*.parquet"):
        table = pq.read_table(file)
        actions = pa.array([np.tanh(row) for row in table["action"].to_pylist()], table["action"].type)
        pq.write_table(table.set_column(table.schema.get_field_index("action"), "action", actions), file)
    return path


def test_upside_down_frames_are_upright_afterwards(tmp_path: Path, convert: Run) -> None:
    one = demo()
    path = write(tmp_path / "a.hdf5", [one])
    done = convert(path, tmp_path / "b.hdf5", "--data", "orientation=flipped_rows")
    assert any("upright" in line for line in done["lost"])
    with h5py.File(tmp_path / "b.hdf5") as file:
        stored = file["data/demo_0/obs/agentview_image"][:]
    np.testing.assert_array_equal(stored, one["obs/agentview_image"][:, ::-1])


def test_a_mapping_names_what_is_written(tmp_path: Path, convert: Run) -> None:
    path = write(tmp_path / "a.hdf5", [demo()])
    mapping = ["cameras={main: agentview}", "proprio={pose: robot0_eef_pos}", "actions=[actions]"]
    convert(path, tmp_path / "b.hdf5", "--data", *mapping)
    with h5py.File(tmp_path / "b.hdf5") as file:
        assert {"main_image", "pose"} <= set(file["data/demo_0/obs"])


@pytest.mark.parametrize("through_lerobot", [False, True])
def test_actions_that_were_not_chosen_are_carried_along(
    through_lerobot: bool, tmp_path: Path, convert: Run
) -> None:
    goals = np.random.default_rng(0).normal(size=(6, 7))
    one = demo(actions_abs=goals)
    source = write(tmp_path / "a.hdf5", [one])
    if through_lerobot:
        told = convert(source, tmp_path / "set", "--fps", "10", "data.actions=[actions_abs]")["lost"]
        source = tmp_path / "set"
    done = convert(source, tmp_path / "b.hdf5", *([] if through_lerobot else ["data.actions=[actions_abs]"]))
    assert any("data.absolute=true" in line for line in (told if through_lerobot else done["lost"]))
    with h5py.File(tmp_path / "b.hdf5") as file:
        np.testing.assert_array_equal(file["data/demo_0/actions"][:].astype(np.float32), np.float32(goals))
        np.testing.assert_array_equal(file["data/demo_0/actions_recorded"][:], one["actions"])


def test_what_cannot_be_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*words: object, told: str) -> None:
        assert status_here(monkeypatch, "s2robot", "convert", *map(str, words)) == 2
        assert_one_line(capsys.readouterr().err, told)

    path = write(tmp_path / "a.hdf5", [demo()], env_args=None)
    refused(path, tmp_path / "set", told="--fps")
    refused(path, tmp_path / "b.mp4", told="no dataset's ending")
    refused(path, path, told="is the dataset itself")
    broken = write(tmp_path / "broken.hdf5", [demo(), demo(obs__robot0_eef_pos=np.zeros((4, 3)))])
    refused(broken, tmp_path / "b.hdf5", told="found 4 rows")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.hdf5", "broken.hdf5"]


def test_numbers_that_the_target_cannot_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a.hdf5", [demo(obs__force=np.full((6, 2), 1e300))])
    words = ("convert", str(tmp_path / "a.hdf5"), str(tmp_path / "set"), "--fps", "10", "--lossless")
    assert status_here(monkeypatch, "s2robot", *words) == 2
    assert_one_line(capsys.readouterr().err, "observation.force", "found 1e+300, which float32 cannot hold")
    assert not (tmp_path / "set").exists()


def test_what_is_unusual_in_the_source_is_said(tmp_path: Path, convert: Run) -> None:
    file = write(tmp_path / "a.hdf5", [demo(), {key: values[:0] for key, values in demo().items()}])
    with h5py.File(file, "a") as opened:
        opened["data/demo_0"].attrs["num_samples"] = 99
    told = convert(tmp_path / "a.hdf5", tmp_path / "set", "--fps", "10", "--lossless")["warnings"]
    assert any("its attribute num_samples says 99; 6 are used" in line for line in told)
    assert any("it has 0 steps and is left out" in line for line in told)


FORMS = ("a.hdf5", "set")


@pytest.mark.parametrize("target", FORMS)
def test_what_does_not_fit_the_target_is_listed(target: str, tmp_path: Path, convert: Run) -> None:
    """Rewards of another length, an observation after the last action, matrices, a bad env_args."""
    demos = [demo(seed=i, rewards=np.zeros(6), dones=np.zeros(6)) for i in range(3)]
    for one in demos:
        one["obs/agentview_image"] = np.concatenate([one["obs/agentview_image"]] * 2)[:7]
        one["obs/robot0_eef_pos"] = one["obs/robot0_eef_pos"][:, None]
        one["calibration"] = np.eye(3)
    demos[1] |= {"rewards": np.zeros(4), "dones": np.zeros(9)}
    source = write(tmp_path / "d.hdf5", demos, env_args="{nonsense")
    lost = "\n".join(convert(source, tmp_path / target, "--fps", 10)["lost"])
    assert "rows become vectors: obs/robot0_eef_pos (1, 3)" in lost
    assert "the row after the last action is left out: obs/agentview_image" in lost
    assert "demo_1, rewards: found 4 rows, expected 6" in lost and "dones: found 9 rows" in lost
    assert "env_args is left out: env_args is no JSON object" in lost
    copy = open_dataset(tmp_path / target)
    assert copy.lengths == [6, 6, 6] and "calibration" in "".join(copy.keys.arrays)
    np.testing.assert_allclose(copy.low_dim("robot0_eef_pos")[:6], demos[0]["obs/robot0_eef_pos"][:, 0], 1e-6)


@pytest.mark.parametrize("target", FORMS)
def test_cameras_that_nobody_can_tell_apart_are_refused(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = demo()
    twice["obs/agentview_rgb"] = twice["obs/agentview_image"]
    source = write(tmp_path / "d.hdf5", [twice, twice])
    words = (str(source), str(tmp_path / target), "--fps", "10")
    assert status_here(monkeypatch, "s2robot", "convert", *words) == 2
    assert_one_line(
        capsys.readouterr().err, "camera 'agentview' may be obs/agentview_image or obs/agentview_rgb"
    )
    assert status_here(monkeypatch, "s2robot", "convert", *words, "data.cameras=[agentview_rgb]") == 0


def test_numbers_that_become_less_exact_are_said(tmp_path: Path, convert: Run) -> None:
    steps = np.arange(6)[:, None]
    arrays = {"actions": np.full((6, 7), 2**40) + steps, "obs/robot0_eef_pos": np.ones((6, 3), ">f8")}
    arrays |= {"obs/clock": 10**18 + steps, "obs/small": steps.astype(np.int16)}
    path = write(tmp_path / "a.hdf5", [demo() | arrays, demo(seed=1) | arrays])
    lost = convert(path, tmp_path / "set", "--fps", "10", "--lossless")["lost"]
    told = "obs/robot0_eef_pos, obs/robot0_eef_quat, obs/robot0_gripper_qpos"
    assert lost[:2] == [f"float64 becomes float32: {told}", "int64 becomes float32: actions"]
    np.testing.assert_array_equal(
        open_dataset(tmp_path / "set").keys.arrays["observation.clock"].dtype, "int64"
    )
