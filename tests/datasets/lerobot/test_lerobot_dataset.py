"""A LeRobot folder as a dataset: cameras and proprioception by their usual names, faults passed on."""

from pathlib import Path

import numpy as np
import pytest

from s2robot.datasets.opening import open_dataset
from s2robot.errors import UserError
from tests.datasets.lerobot import layouts
from tests.datasets.lerobot.layouts import FRONT, WRIST, Recording

DATA = Path(__file__).with_name("data")


def test_a_folder_that_lerobot_wrote() -> None:
    dataset = open_dataset(DATA / "lerobot_v3_h264")
    assert (dataset.format, dataset.version, dataset.fps) == ("lerobot", "3.0", 10)
    assert [str(warning).partition(": ")[2][:8] for warning in dataset.warnings] == ["2 tasks "]
    assert {name: camera.size for name, camera in dataset.cameras.items()} == {
        "front": (96, 96),
        "wrist": (96, 96),
    }
    assert {key: rows.shape for key, rows in dataset.proprioception().items()} == {
        "observation.state": (36, 6)
    }
    assert dataset.actions().shape == (36, 6)
    assert dataset.tasks == ("push the block", "lift the cube")
    assert dataset.splits("train", "valid") == ([0, 1], [2])
    assert dataset.env_args is None


def test_pieces_of_an_episode_are_the_whole(tmp_path: Path) -> None:
    recording = Recording(lengths=(40, 30), codec={"options": {"g": "2", "bf": "0", "crf": "20"}})
    dataset = open_dataset(recording.write(tmp_path / "set"))
    for name in dataset.episodes:
        whole = dataset.read_frames(name, "front")
        pieces = [dataset.read_frames(name, "front", i, i + 16) for i in range(0, len(whole), 16)]
        np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_sets_without_the_prefix_of_observations(tmp_path: Path) -> None:
    recording = Recording(images="png", cameras=("image", "wrist_image"), version="v2.0")
    root = recording.write(tmp_path / "set")
    features = layouts.read_info(root)["features"]
    names = {"observation.state": "state", "action": "actions"}
    layouts.change_info(root, features={names.get(key, key): one for key, one in features.items()})
    for path in root.glob("data/*/*.parquet"):
        table = layouts.pq.read_table(path)
        names = {"observation.state": "state", "action": "actions"}
        layouts.pq.write_table(
            table.rename_columns([names.get(key, key) for key in table.column_names]), path
        )
    dataset = open_dataset(root)
    assert sorted(dataset.cameras) == ["image", "wrist"] and list(dataset.proprio_keys) == ["state"]
    assert dataset.low_dim("state").shape == (28, 4) and dataset.actions().shape == (28, 3)


def test_warnings_and_the_tolerance_reach_the_dataset(tmp_path: Path) -> None:
    recording = Recording(version="v2.1", lengths=(12,))
    root = recording.write(tmp_path / "set")
    layouts.change_info(root, total_frames=99)
    video = root / f"videos/chunk-000/{FRONT}/episode_000000.mp4"
    layouts.encode(video, recording.frames(0, FRONT)[:10])
    dataset = open_dataset(root, tolerance_s=0.3)
    assert ["total_frames is 99; counted 12" in str(warning) for warning in dataset.warnings] == [True]
    assert len(dataset.read_frames("episode_000000", "front")) == 12
    with pytest.raises(UserError, match=r"no frame within 0.05 s of row 11.*set data.tolerance_s"):
        open_dataset(root).read_frames("episode_000000", "front")
    with pytest.raises(UserError, match=r"data.tolerance_s=-1 "):
        open_dataset(root, tolerance_s=-1)


def test_a_camera_that_cannot_be_read_is_not_left_out_unasked(tmp_path: Path) -> None:
    root = Recording().write(tmp_path / "set")
    videos = sorted((root / f"videos/{WRIST}").rglob("*.mp4"))
    for video in videos:
        video.rename(video.with_suffix(".away"))
    told = r"episode_00000{}, .*wrist: .*mp4 is missing; .*data.cameras=\[front\] trains without this camera"
    with pytest.raises(UserError, match=told.format(0)):
        open_dataset(root)
    for video in videos[:2]:  # now only the last is away
        video.with_suffix(".away").rename(video)
    with pytest.raises(UserError, match=told.format(2)):
        open_dataset(root)
    assert list(open_dataset(root, cameras=["front"]).cameras) == ["front"]
