"""Several datasets at once: lists, folders, globs, names, weights, differences that are refused or said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s2robot.datasets import open_dataset
from s2robot.datasets.windows import Windows
from s2robot.errors import UserError
from s2robot.policies import PolicyConfig
from s2robot.training.batches import windows_of_step
from tests.datasets.lerobot.layouts import Recording, change_info, read_info
from tests.datasets.small_files import GYM, demo, picture, write


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """Two files, of two and three demonstrations."""
    demos = [demo(seed=i) for i in range(5)]
    return [write(tmp_path / "a.hdf5", demos[:2]), write(tmp_path / "b.hdf5", demos[2:])]


def test_a_list_a_folder_and_a_glob_are_the_same_dataset(pair: list[Path], tmp_path: Path) -> None:
    listed = open_dataset(pair)
    assert list(listed.episodes) == ["a/demo_0", "a/demo_1", "b/demo_0", "b/demo_1", "b/demo_2"]
    for path in (tmp_path, f"{tmp_path}/*.hdf5"):
        other = open_dataset(path)
        assert other.episodes == listed.episodes
        np.testing.assert_array_equal(other.actions(), listed.actions())
        frames = other.read_frames("b/demo_1", "agentview")
        np.testing.assert_array_equal(frames, picture(6, seed=3))


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [tmp_path / day / "demo.hdf5" for day in ("monday", "friday")]
    for path in paths:
        path.parent.mkdir()
        write(path, [demo()])
    assert list(open_dataset(paths).episodes) == ["monday/demo/demo_0", "friday/demo/demo_0"]
    with pytest.raises(UserError, match=r"is given twice"):
        open_dataset([paths[0], paths[0]])


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (
            demo(actions=np.zeros((6, 14))),
            r"b.hdf5: demo_0, actions: found rows of shape \(14,\).*a.hdf5, demo_0",
        ),
        (
            demo(obs__robot0_gripper_qpos=np.zeros((6, 6))),
            r"b.hdf5: demo_0, obs/robot0_gripper_qpos: found .*\(6,\).*a.hdf5",
        ),
    ],
)
def test_robots_of_other_sizes_are_refused_naming_both_files(other: Any, told: str, tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.hdf5", [demo()]), write(tmp_path / "b.hdf5", [other])]
    with pytest.raises(UserError, match=told):
        open_dataset(paths)


def test_another_environment_is_said(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "a.hdf5", [demo()]),
        write(tmp_path / "b.hdf5", [demo()], GYM | {"env_name": "OtherArm-v0"}),
    ]
    dataset = open_dataset(paths)
    assert dataset.env_args is not None and dataset.env_args["env_name"] == "RealArm-v0"
    assert "its environment is another than that of" in str(dataset.warnings[0])


def windows(dataset: Any, episodes: list[int]) -> Windows:
    weights = dataset.frame_weights(episodes)
    return Windows(dataset, {}, PolicyConfig(horizon=2), episodes, weights=weights)


def test_weights_are_shares_of_the_training_windows(pair: list[Path]) -> None:
    dataset = open_dataset(pair, weights=[3, 1])
    some = windows(dataset, [0, 2, 3])  # 6 frames of a, 12 of b
    drawn = torch.cat([windows_of_step(len(some), 64, 0, step, some.cumulative) for step in range(100)])
    frames = torch.tensor([some.frame(window) for window in drawn.tolist()])
    share = float((frames < 12).double().mean())
    assert abs(share - 0.75) < 4 * (0.75 * 0.25 / len(frames)) ** 0.5
    assert set(frames.tolist()) == set(dataset.frames_of([0, 2, 3]).tolist())


def test_a_weight_of_zero_leaves_a_dataset_out(pair: list[Path]) -> None:
    some = windows(open_dataset(pair, weights=[0, 1]), [0, 1, 2, 3, 4])
    drawn = torch.cat([windows_of_step(len(some), 64, 0, step, some.cumulative) for step in range(20)])
    assert drawn.min() >= 12


def test_without_weights_the_order_is_that_of_shuffles(pair: list[Path]) -> None:
    some = windows(open_dataset(pair), [0, 1, 2, 3, 4])
    assert some.cumulative is None
    assert torch.equal(windows_of_step(30, 8, 0, 5, some.cumulative), windows_of_step(30, 8, 0, 5))


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ([1], "1 numbers for 2 entries"),
        ([1, -1], "above 0"),
        ([0, 0], "above 0"),
        (["a", 1], "list of numbers"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights: list, told: str, pair: list[Path]) -> None:
    with pytest.raises(UserError, match=told):
        open_dataset(pair, weights=weights).frame_weights([0, 1, 2])


def test_each_file_has_its_own_split(pair: list[Path], tmp_path: Path) -> None:
    masks = {"train": ["demo_0"], "valid": ["demo_1"]}
    split = write(tmp_path / "c.hdf5", [demo(seed=8), demo(seed=9)], masks=masks)
    assert open_dataset([pair[0], split]).splits("train", "valid") == ([0, 2], [1, 3])


def test_a_task_is_chosen_by_its_text(tmp_path: Path) -> None:
    texts = ["open the door", "close the door"]
    paths = [
        write(tmp_path / f"{i}.hdf5", [demo(seed=i)], GYM | {"lang": text}) for i, text in enumerate(texts)
    ]
    dataset = open_dataset(paths)
    assert dataset.tasks == tuple(texts)
    assert any("2 tasks ('open the door', 'close the door')" in str(warning) for warning in dataset.warnings)
    assert list(open_dataset(paths, task="close the door").episodes) == ["1/demo_0"]
    with pytest.raises(UserError, match="did you mean 'open the door'"):
        open_dataset(paths, task="open door")


def test_nothing_that_matches(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file or folder matches"):
        open_dataset(f"{tmp_path}/*.hdf5")
    with pytest.raises(UserError, match="is a folder without a dataset of a known format"):
        open_dataset(tmp_path)


def test_executed_actions_are_there_if_every_file_has_them(tmp_path: Path) -> None:
    both = [write(tmp_path / f"{i}.hdf5", [demo(actions_executed=np.full((6, 7), i))]) for i in (1, 2)]
    executed = open_dataset(both).executed_actions()
    assert executed is not None and executed[:, 0].tolist() == [1] * 6 + [2] * 6
    assert open_dataset([both[0], write(tmp_path / "without.hdf5", [demo()])]).executed_actions() is None


def test_few_demonstrations_without_masks_hold_out_the_last(tmp_path: Path) -> None:
    few = write(tmp_path / "few.hdf5", [demo(seed=i) for i in range(3)])
    one = write(tmp_path / "one.hdf5", [demo()])
    assert open_dataset(few).splits("train", "valid") == ([0, 1], [2])
    assert open_dataset(few).splits("train", None) == ([0, 1, 2], [])
    assert open_dataset(one).splits("train", "valid") == ([0], [])


def test_numbers_in_another_order_are_refused_and_other_names_said(tmp_path: Path) -> None:
    roots = []
    for name, joints in (("a", ["x", "y", "z"]), ("b", ["x", "z", "y"]), ("c", ["x", "y", "roll"])):
        roots.append(Recording((3,), images="png").write(tmp_path / name))
        action = {"dtype": "float32", "shape": [3], "names": {"motors": joints}}
        change_info(roots[-1], features=read_info(roots[-1])["features"] | {"action": action})
    with pytest.raises(UserError, match=r"b/.* action: number 1 is called 'z', and 'y' in .*another order"):
        open_dataset([roots[0], roots[1]])
    (told,) = (one for one in open_dataset([roots[0], roots[2]]).warnings if "called" in one.problem)
    assert "number 2 is called 'roll', and 'z' in" in str(told)


def test_folders_whose_names_differ_behind_a_point(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, [demo()]) for name in ("pick.v1", "pick.v2")]
    assert open_dataset(paths).episodes == ["pick.v1/demo_0", "pick.v2/demo_0"]


def test_a_file_that_is_given_twice_in_other_words_is_refused(pair: list[Path], tmp_path: Path) -> None:
    link = tmp_path / "c.hdf5"
    link.symlink_to("a.hdf5")
    with pytest.raises(UserError, match=r"c.hdf5 is given twice, also as .*a.hdf5"):
        open_dataset(tmp_path)


def test_absolute_poses_and_changes_of_the_pose_are_not_mixed(tmp_path: Path) -> None:
    paths = []
    for name, delta in (("a", True), ("b", False)):
        kwargs = {"controller_configs": {"type": "OSC_POSE", "control_delta": delta}}
        env_args = {"env_name": "Lift", "type": 1, "env_kwargs": kwargs}
        paths.append(write(tmp_path / f"{name}.hdf5", [demo()], env_args))
    with pytest.raises(UserError, match=r"b.hdf5: .* absolute poses, those of .*a.hdf5 changes of the pose"):
        open_dataset(paths)
    assert open_dataset(paths, absolute=False).lengths == [6, 6]


@pytest.mark.parametrize("beyond", [0.0, 1.2])
def test_a_file_whose_deltas_look_like_poses_is_refused_beside_others(beyond: float, tmp_path: Path) -> None:
    """Whatever the others hold, and by its own name."""
    env_args = {"env_name": "Lift", "type": 1, "env_kwargs": {}}
    deltas, poses = demo(), demo()
    deltas["actions"][0, 0] = beyond
    poses["actions"][:, :3], poses["actions"][:, 3:6] = 0.4, 3.0
    paths = [write(tmp_path / "a.hdf5", [deltas], env_args), write(tmp_path / "b.hdf5", [poses], env_args)]
    with pytest.raises(UserError, match=r"b.hdf5.*rotations up to 3 with positions up to 0.4"):
        open_dataset(paths)


def test_sources_of_other_units_are_warned_of(tmp_path: Path) -> None:
    metres, plain = demo(seed=1), demo(seed=2)
    millimetres = demo(seed=3, obs__robot0_eef_pos=1000 * demo(seed=3)["obs/robot0_eef_pos"])
    files = [write(tmp_path / f"{i}.hdf5", [one]) for i, one in enumerate((metres, plain, millimetres))]
    assert not [one for one in open_dataset(files[:2]).warnings if "units" in str(one)]
    (told,) = (str(one) for one in open_dataset(files).warnings if "are their units the same" in str(one))
    assert "2.hdf5" in told and "robot0_eef_pos" in told
