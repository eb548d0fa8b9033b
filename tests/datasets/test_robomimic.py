"""Reading demonstrations: what is asked for, or one line that says what is wrong."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from tests.datasets.small_files import demo, write


def test_reads_what_the_file_holds(demos_path: Path) -> None:
    demos = open_dataset(demos_path)
    assert list(demos.cameras) == ["agentview", "robot0_eye_in_hand"]
    assert list(demos.proprio_keys) == ["robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos"]
    assert demos.image_size("agentview") == (64, 64)
    assert demos.env_args is not None and demos.env_args["env_name"] == "s2robot/PickCube-v0"
    assert (
        demos.offsets[-1]
        == sum(demos.lengths)
        == len(demos.actions())
        == len(demos.low_dim("robot0_eef_pos"))
    )
    with h5py.File(demos_path) as file:
        np.testing.assert_array_equal(
            demos.read_frames("demo_1", "agentview"), file["data/demo_1/obs/agentview_image"][:]
        )
        assert demos.seeds == {int(file[f"data/demo_{i}"].attrs["seed"]) for i in range(3)}


def test_episodes_are_in_order_of_their_numbers(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "d.hdf5", "w") as file:
        for i in (10, 2, 1):
            file[f"data/demo_{i}/actions"] = np.zeros((i, 7))
            file[f"data/demo_{i}/obs/x"] = np.zeros((i, 1))
    demos = open_dataset(tmp_path / "d.hdf5", cameras=[], proprio=["x"])
    assert demos.episodes == ["demo_1", "demo_2", "demo_10"]
    assert demos.splits("train", "valid") == ([0, 1], [2])  # no masks, fewer than ten


def test_splits_are_the_masks(demos_path: Path) -> None:
    assert open_dataset(demos_path).splits("train", "valid") == ([0, 1], [2])


def test_identity_changes_with_the_file(demos_path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.hdf5"
    copy.write_bytes(demos_path.read_bytes())
    before = open_dataset(copy).episode_identity("demo_1", "agentview")
    assert before == open_dataset(copy).episode_identity("demo_1", "agentview")
    with h5py.File(copy, "a") as file:
        file.attrs["touched"] = 1
    assert open_dataset(copy).episode_identity("demo_1", "agentview") != before


def test_privileged_state_is_refused(demos_path: Path) -> None:
    with pytest.raises(UserError, match="object is privileged"):
        open_dataset(demos_path).proprioception(["robot0_eef_pos", "object"])


def test_unknown_names_are_answered_with_the_nearest(demos_path: Path) -> None:
    demos = open_dataset(demos_path)
    with pytest.raises(UserError, match="did you mean 'agentview'"):
        demos.image_size("agentvieww")
    with pytest.raises(UserError, match="did you mean 'robot0_eef_pos'"):
        demos.low_dim("robot_eef_pos")
    with pytest.raises(UserError, match="did you mean 'train'"):
        demos.split("trian")


@pytest.mark.parametrize(
    ("shape", "dtype", "told"),
    [
        (
            (5, 3, 8, 6),
            np.uint8,
            r"is uint8 of shape \(5, 3, 8, 6\).*: move the channels .*transpose\(0, 2, 3, 1\)$",
        ),
        (
            (5, 8, 6, 3),
            np.float32,
            r"is float32 of shape \(5, 8, 6, 3\).*: store 0 to 255 as uint8, not floats$",
        ),
        ((5, 3, 8, 6), np.float16, r"transpose\(0, 2, 3, 1\), store 0 to 255"),
        ((5, 8, 6, 4), np.uint8, r"shape \(t, h, w, 3\): leave out the fourth channel, \[..., :3\]$"),
        ((5, 4, 8, 6), np.uint8, r"transpose\(0, 2, 3, 1\), leave out the fourth channel"),
        ((5, 8, 6), np.uint8, r"shape \(t, h, w, 3\): repeat grey values to three channels"),
        ((5, 8, 6, 1), np.uint8, r"shape \(t, h, w, 3\): repeat grey values to three channels"),
        ((5, 8, 6, 3), np.int64, r": store 0 to 255 as uint8, not int64$"),
        ((5, 2, 8, 6, 3), np.uint8, r": keep one frame a step, \[:, -1\]$"),
    ],
)
def test_other_frames_are_refused_when_the_file_is_opened(
    tmp_path: Path, shape: Any, dtype: Any, told: str
) -> None:
    path = tmp_path / "d.hdf5"
    with h5py.File(path, "w") as file:
        file["data/demo_0/actions"] = np.zeros((5, 7))
        file["data/demo_0/obs/agentview_image"] = np.zeros(shape, dtype)
    with pytest.raises(UserError, match=told) as raised:
        open_dataset(path, cameras=["agentview"], proprio=[])
    assert str(raised.value).startswith(f"{path}: demo_0, obs/agentview_image: ")
    assert "\n" not in str(raised.value)


def test_other_frames_of_a_later_episode_are_refused_when_the_file_is_opened(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "d.hdf5", "w") as file:
        for i, shape in enumerate([(5, 8, 6, 3), (5, 3, 8, 6)]):
            file[f"data/demo_{i}/actions"] = np.zeros((5, 7))
            file[f"data/demo_{i}/obs/agentview_image"] = np.zeros(shape, np.uint8)
    told = r"demo_1, obs/agentview_image: .* uint8 of shape \(5, 3, 8, 6\)"
    with pytest.raises(UserError, match=told):
        open_dataset(tmp_path / "d.hdf5", proprio=[])


def test_files_that_are_no_demonstrations(demos_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no dataset at"):
        open_dataset(tmp_path / "nothing.hdf5")
    text, truncated, empty = (tmp_path / name for name in ("text", "truncated", "empty"))
    text.write_text("not HDF5")
    with pytest.raises(UserError, match="not an HDF5 file"):
        open_dataset(text)
    truncated.write_bytes(demos_path.read_bytes()[:20_000])
    with pytest.raises(UserError, match="truncated"):
        open_dataset(truncated)
    h5py.File(empty, "w").close()
    with pytest.raises(UserError, match="holds no demonstrations"):
        open_dataset(empty)
    with h5py.File(empty, "w") as file:
        file.create_group("data")
    with pytest.raises(UserError, match="holds no demonstrations: its group 'data' is empty"):
        open_dataset(empty)
    with pytest.raises(UserError, match="is a file; a LeRobot dataset is a folder"):
        open_dataset(empty, format="lerobot")


def test_a_group_that_is_no_demonstration_is_left_alone_and_said(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(), demo(seed=1)])
    with h5py.File(path, "a") as file:
        file["data/statistics/mean"], file["data/language"] = np.zeros(3), "lift"
    dataset = open_dataset(path)
    assert dataset.lengths == [6, 6]
    dataset.close()
    (said,) = [str(warning) for warning in dataset.warnings]
    assert "left alone, as they have neither actions nor obs: language, statistics" in said
    with h5py.File(path, "a") as file:
        del file["data/demo_0/actions"]
    with pytest.raises(UserError, match="demo_0: it lacks 'actions'; it has obs"):
        open_dataset(path)


@pytest.mark.parametrize("option", ["train", "valid"])
def test_a_filter_key_of_a_file_without_any_is_refused(option: str, tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(), demo(seed=1)])
    keys = {"train": "train", "valid": "valid", option: "20_demos"}
    with pytest.raises(UserError, match=rf"no filter key '20_demos'; it has none at all: data.{option}="):
        open_dataset(path).splits(**keys)
    masks = {"all": ["demo_0"]}
    dataset = open_dataset(write(tmp_path / "d.hdf5", [demo(), demo(seed=1)], masks=masks))
    assert "choose with data.train from all, or data.train=null" in str(dataset.warnings[0])
    with pytest.raises(UserError, match=r"has no filter key '20_demos'; .*it has all"):
        dataset.splits(**keys | {"train": "20_demos"})


LAYOUTS: list[tuple[dict[str, np.ndarray], str]] = [
    ({"demo_0/actions": np.ones((6, 7))}, "format keeps them under 'data/', at its root it has demo_0$"),
    ({"data/action": np.ones((12, 7)), "meta/ends": np.ones(2)}, "in data/ neither action nor another of 1"),
    (
        {"data/demo_0/actions": np.ones((6, 7)), "data/demo_0/front": np.ones((6, 3))},
        "demo_0: it lacks the group 'obs' of observations; it has actions, front$",
    ),
    (
        {"data/demo_0/actions": np.ones((6, 7)), "data/demo_0/states": np.ones((6, 3))},
        "it has actions, states; robomimic's dataset_states_to_obs.py makes them from states$",
    ),
    (
        {"data/demo_0/actions": np.zeros(6, [("x", "f4")]), "data/demo_0/obs/x": np.ones((6, 3))},
        "demo_0, actions: found .*'x'.* expected numbers; it holds no numbers$",
    ),
]


@pytest.mark.parametrize(("arrays", "told"), LAYOUTS)
def test_other_layouts_are_named_in_one_line(
    arrays: dict[str, np.ndarray], told: str, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "d.hdf5", "w") as file:
        for key, values in arrays.items():
            file[key] = values
    with pytest.raises(UserError, match=told):
        open_dataset(tmp_path / "d.hdf5", cameras=[], proprio=[])


def test_a_task_text_in_an_attribute(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(), demo(seed=1)], attributes={"language": "lift the cube"})
    with h5py.File(path, "a") as file:
        file["data/demo_1"].attrs["language_instruction"] = np.bytes_(b"open the drawer")
    assert open_dataset(path).tasks == ("lift the cube", "open the drawer")
