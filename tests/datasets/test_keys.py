"""The key mapping: cameras by type and not by name, names and keys, defaults, clashes, families."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from tests.datasets.small_files import demo, picture, without, write

USUAL = ("obs/robot0_eef_pos", "obs/robot0_eef_quat", "obs/robot0_gripper_qpos")


def libero(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"ee_pos": 3, "ee_ori": 3, "gripper_states": 2, "joint_states": 7}
    numbers: dict[str, Any] = {f"obs__{key}": rng.normal(size=(6, width)) for key, width in shapes.items()}
    frames: dict[str, Any] = {
        "obs__agentview_rgb": picture(6, seed=seed),
        "obs__eye_in_hand_rgb": picture(6, seed=seed + 9),
    }
    return without(demo(seed=seed, **numbers, **frames), "obs/agentview_image", *USUAL)


def test_every_array_of_colour_frames_is_a_camera(tmp_path: Path) -> None:
    depth = np.zeros((6, 8, 6, 1), np.float32)
    more: dict[str, Any] = {
        "obs__top": picture(6),
        "obs__images__cam_high": picture(6),
        "obs__agentview_depth": depth,
    }
    dataset = open_dataset(write(tmp_path / "d.hdf5", [demo(**more)]))
    assert {name: camera.key for name, camera in dataset.cameras.items()} == {
        "agentview": "obs/agentview_image",
        "images/cam_high": "obs/images/cam_high",
        "top": "obs/top",
    }
    assert any("left alone: obs/agentview_depth (float32" in str(warning) for warning in dataset.warnings)


@pytest.mark.parametrize("word", ["agentview", "agentview_image", "obs/agentview_image"])
def test_a_camera_is_known_by_name_or_key(word: str, tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(obs__broken_image=np.zeros((3, 2)))])
    assert list(open_dataset(path, cameras=[word]).cameras) == ["agentview"]


def test_a_mapping_gives_names(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(obs__images__cam_high=picture(6))])
    dataset = open_dataset(path, cameras={"top": "images/cam_high"}, proprio={"hand": "robot0_eef_pos"})
    assert list(dataset.cameras) == ["top"]
    assert {name: values.shape for name, values in dataset.proprioception().items()} == {"hand": (6, 3)}
    assert list(open_dataset(path, cameras=["cam_high"]).cameras) == ["images/cam_high"]


def test_two_cameras_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(obs__agentview_rgb=picture(6))])
    with pytest.raises(UserError, match=r"camera 'agentview' .* obs/agentview_image or obs/agentview_rgb"):
        open_dataset(path)
    assert list(open_dataset(path, cameras=["agentview_rgb"]).cameras) == ["agentview"]


def test_a_dataset_without_cameras_is_refused_unless_that_is_said(tmp_path: Path) -> None:
    frames = np.zeros((6, 3, 8, 6), np.uint8)
    one = without(demo(obs__front=frames), "obs/agentview_image")
    path = write(tmp_path / "d.hdf5", [one])
    with pytest.raises(UserError, match=r"no camera.*front .*transpose\(0, 2, 3, 1\).*data.cameras=\[\]"):
        open_dataset(path)
    assert open_dataset(path, cameras=[]).cameras == {}


def test_libero_has_its_keys_and_its_orientation(tmp_path: Path) -> None:
    one = libero()
    path = write(tmp_path / "d.hdf5", [one])
    dataset = open_dataset(path)
    assert list(dataset.cameras) == ["agentview", "eye_in_hand"]
    assert list(dataset.proprio_keys) == ["ee_pos", "ee_ori", "gripper_states"]
    np.testing.assert_array_equal(
        dataset.read_frames("demo_0", "agentview"), one["obs/agentview_rgb"][:, ::-1]
    )
    assert [str(w) for w in dataset.warnings if "LIBERO" in str(w) and "rows are flipped" in str(w)]
    assert dataset.flips("agentview") == (0,)


def test_a_file_that_says_its_image_convention_is_believed(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [libero()], attributes={"macros_image_convention": "opencv"})
    assert open_dataset(path).flips("agentview") == ()


@pytest.mark.parametrize(
    ("orientation", "flip"),
    [("upright", np.s_[:]), ("flipped_rows", np.s_[:, ::-1]), ("rotated_180", np.s_[:, ::-1, ::-1])],
)
def test_the_orientation_that_is_given_is_taken_and_part_of_the_identity(
    orientation: str, flip: Any, tmp_path: Path
) -> None:
    one = libero()
    path = write(tmp_path / "d.hdf5", [one])
    dataset = open_dataset(path, orientation=orientation)
    np.testing.assert_array_equal(dataset.read_frames("demo_0", "agentview"), one["obs/agentview_rgb"][flip])
    others = [open_dataset(path, orientation=o) for o in ("upright", "flipped_rows", "rotated_180")]
    identities = [other.episode_identity("demo_0", "agentview") for other in others]
    assert len(set(identities)) == 3
    assert dataset.episode_identity("demo_0", "agentview") in identities


def test_proprioception_that_is_not_usual_must_be_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [without(demo(obs__arm=np.zeros((6, 5))), *USUAL)])
    with pytest.raises(UserError, match=r"data.proprio=\[KEY,...\] from arm"):
        open_dataset(path)
    assert open_dataset(path, proprio=["arm"]).proprioception()["arm"].shape == (6, 5)


def test_rows_of_any_shape_are_flattened(tmp_path: Path) -> None:
    wide, flat = np.arange(24.0).reshape(6, 1, 4), np.arange(6.0)
    path = write(tmp_path / "d.hdf5", [demo(obs__robot0_eef_pos=wide, obs__robot0_gripper_qpos=flat)])
    proprio = open_dataset(path).proprioception()
    np.testing.assert_array_equal(proprio["robot0_eef_pos"], wide[:, 0])
    np.testing.assert_array_equal(proprio["robot0_gripper_qpos"], flat[:, None])


@pytest.mark.parametrize("word", ["object", "obs/object", "states", "datagen_info/eef_pose"])
def test_privileged_state_is_refused_under_any_key(word: str, tmp_path: Path) -> None:
    state = np.zeros((6, 3))
    path = write(tmp_path / "d.hdf5", [demo(obs__object=state, states=state, datagen_info__eef_pose=state)])
    with pytest.raises(UserError, match="privileged state"):
        open_dataset(path, proprio=[word])


def test_actions_of_several_keys_are_side_by_side(tmp_path: Path) -> None:
    parts: dict[str, Any] = {
        "action_dict__abs_pos": np.ones((6, 3)),
        "action_dict__gripper": np.zeros((6, 1)),
    }
    path = write(tmp_path / "d.hdf5", [demo(**parts)])
    dataset = open_dataset(path, actions=["action_dict/abs_pos", "action_dict/gripper"])
    assert dataset.actions().tolist() == [[1, 1, 1, 0]] * 6
    assert dataset.absolute and not open_dataset(path).absolute
    with pytest.raises(UserError, match="did you mean 'action_dict/gripper'"):
        open_dataset(path, actions=["action_dict/griper"])


REPEATED: list[tuple[dict[str, Any], str]] = [
    ({"cameras": {"a": "agentview", "b": "agentview_image"}}, "data.cameras names obs/agentview_image 2"),
    ({"cameras": ["agentview", "agentview_image"]}, "data.cameras names obs/agentview_image 2"),
    (
        {"proprio": {"a": "robot0_eef_pos", "b": "obs/robot0_eef_pos"}},
        "data.proprio names obs/robot",
    ),
    ({"proprio": ["robot0_eef_pos", "robot0_eef_pos"]}, "data.proprio names obs/robot0_eef_pos 2 times"),
    ({"actions": ["actions", "actions"]}, "data.actions names actions 2 times"),
    ({"actions": {"a": "actions", "b": "actions"}}, "data.actions names actions 2 times"),
]


@pytest.mark.parametrize(("options", "told"), REPEATED)
def test_an_array_is_named_once(options: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        open_dataset(write(tmp_path / "d.hdf5", [demo()]), **options)


MISUSED: list[tuple[dict[str, Any], str]] = [
    ({"proprio": ["agentview"]}, "has no array of numbers 'agentview'; it has"),
    ({"proprio": ["agentview_image"]}, r"camera's frames, expected numbers; data.cameras=\[agentview\]"),
    ({"actions": ["obs/agentview_image"]}, "data.actions: obs/agentview_image holds a camera's frames"),
    ({"proprio": ["actions"]}, "data.proprio: actions holds actions, which the policy predicts"),
    ({"proprio": {"hand": "actions_abs"}}, "data.proprio: actions_abs holds actions"),
    ({"proprio": ["action_dict/gripper"]}, "data.proprio: action_dict/gripper holds actions"),
    ({"actions": ["obs/robot0_eef_pos"]}, "data.proprio: obs/robot0_eef_pos holds actions"),
    ({"cameras": ["robot0_eef_pos"]}, r"it is float64 of shape \(6, 3\); frames must be uint8 of"),
    ({"cameras": ["wrong"]}, "d.hdf5 has no camera 'wrong'; it has agentview$"),
    ({"cameras": ["agentvew"]}, "has no camera 'agentvew'; did you mean 'agentview'. it has agentview$"),
]


@pytest.mark.parametrize(("options", "told"), MISUSED)
def test_an_array_that_is_of_no_use_there(options: dict[str, Any], told: str, tmp_path: Path) -> None:
    more: dict[str, Any] = {"actions_abs": np.ones((6, 7)), "action_dict__gripper": np.ones((6, 1))}
    with pytest.raises(UserError, match=told) as raised:
        open_dataset(write(tmp_path / "d.hdf5", [demo(**more)]), **options)
    assert not str(raised.value).rstrip().endswith(";")


def test_the_last_action_among_the_observations_is_no_leak(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(obs__action_before=np.ones((6, 7)))])
    assert list(open_dataset(path, proprio=["action_before"]).proprio_keys) == ["action_before"]


def test_actions_of_another_name_are_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(moves=np.ones((6, 4))), demo(moves=np.ones((6, 4)))])
    with h5py.File(path, "a") as file:
        for one in file["data"].values():
            del one["actions"]
    with pytest.raises(UserError, match=r"demo_0: it lacks 'actions'; it has moves, obs: data.actions="):
        open_dataset(path)
    assert open_dataset(path, actions=["moves"]).actions().shape == (12, 4)


@pytest.mark.parametrize("name", ["agentview_depth", "agentview_segmentation_instance", "wrist/depth"])
def test_images_without_colours_by_their_name_are_no_cameras_unless_chosen(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo() | {f"obs/{name}": picture(6, seed=3)}])
    dataset = open_dataset(path)
    assert list(dataset.cameras) == ["agentview"]
    assert any(f"left alone: obs/{name}" in str(warning) for warning in dataset.warnings)
    assert list(open_dataset(path, cameras=[name]).cameras) == [name]


def test_cameras_may_be_called_by_numbers(tmp_path: Path) -> None:
    """Serial numbers, which a command line reads as numbers."""
    path = write(tmp_path / "d.hdf5", [demo() | {"obs/23404442": picture(6, seed=3)}])
    assert list(open_dataset(path, cameras=[23404442]).cameras) == ["23404442"]
    assert list(open_dataset(path, cameras={"wrist": 23404442}).cameras) == ["wrist"]
    with pytest.raises(UserError, match="neither a list of keys"):
        open_dataset(path, cameras=[True])


def test_both_arms_are_read(tmp_path: Path) -> None:
    """A policy that moves two arms and sees one would train without a word."""
    other: dict[str, Any] = {
        "obs__robot1_eef_pos": np.ones((6, 3)),
        "obs__robot1_gripper_qpos": np.ones((6, 2)),
    }
    dataset = open_dataset(write(tmp_path / "two_arms.hdf5", [demo(**other)]))
    names = [key.removeprefix("obs/") for key in (*USUAL, "robot1_eef_pos", "robot1_gripper_qpos")]
    assert list(dataset.proprioception()) == names


def test_numbers_outside_of_the_observations_are_offered_where_there_are_no_others(tmp_path: Path) -> None:
    path = write(
        tmp_path / "d.hdf5", [{"actions": np.eye(6), "state": np.eye(6), "obs/top_image": picture(6)}]
    )
    with pytest.raises(UserError, match=r"choose with data.proprio=\[KEY,...\] from state, or"):
        open_dataset(path)
    assert list(open_dataset(path, proprio=["state"]).proprio_keys) == ["state"]
