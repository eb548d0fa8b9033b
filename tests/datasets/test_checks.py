"""Faults are found when a dataset is opened: one line with file, demonstration, key, found and expected."""

from pathlib import Path

import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from tests.datasets.small_files import demo, without, write


def changed(key: str, row: int, value: float) -> dict[str, np.ndarray]:
    one = demo(seed=5)
    one[key][row, 1] = value
    return one


REFUSED = {
    "one row too few": (
        demo(obs__robot0_eef_pos=np.zeros((5, 3))),
        "robot0_eef_pos: found 5 rows, expected 6",
    ),
    "two rows too many": (
        demo(obs__robot0_eef_pos=np.zeros((8, 3))),
        "robot0_eef_pos: found 8 rows, expected 6",
    ),
    "another width": (
        demo(obs__robot0_gripper_qpos=np.zeros((6, 6))),
        r"robot0_gripper_qpos: found rows of shape \(6,\), expected \(2,\)",
    ),
    "other actions": (
        demo(actions=np.zeros((6, 14))),
        r"actions: found rows of shape \(14,\), expected \(7,\)",
    ),
    "a missing key": (without(demo(), "obs/robot0_eef_quat"), "robot0_eef_quat: it is not there"),
    "a missing camera": (without(demo(), "obs/agentview_image"), "agentview_image: it is not there"),
    "another size": (
        demo(obs__agentview_image=np.zeros((6, 4, 6, 3), np.uint8)),
        r"agentview_image: found rows of shape \(4, 6, 3\), expected \(8, 6, 3\)",
    ),
    "NaN in actions": (changed("actions", 3, np.nan), "actions: row 3, column 1 is nan, expected a finite"),
    "infinity": (changed("obs/robot0_eef_pos", 2, np.inf), "robot0_eef_pos: row 2, column 1 is inf"),
    "beyond float32": (
        changed("obs/robot0_eef_pos", 3, 1e39),
        r"robot0_eef_pos: row 3, column 1 is 1e\+39, expected a number that float32 can hold",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_fault_is_refused_with_its_place(case: str, tmp_path: Path) -> None:
    wrong, told = REFUSED[case]
    path = write(tmp_path / "d.hdf5", [demo(), demo(seed=1), wrong, demo(seed=2)])
    with pytest.raises(UserError, match=f"^{path}: demo_2, .*{told}") as raised:
        open_dataset(path)
    assert "\n" not in str(raised.value)


def test_unselected_arrays_may_be_broken(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(obs__broken=np.full((2, 9), np.nan)), demo(seed=1)])
    assert open_dataset(path).lengths == [6, 6]


def test_an_observation_after_the_last_action_is_left_out_and_said(tmp_path: Path) -> None:
    longer = np.random.default_rng(0).normal(size=(7, 3))
    path = write(tmp_path / "d.hdf5", [demo(), demo(obs__robot0_eef_pos=longer), demo(seed=1)])
    dataset = open_dataset(path)
    np.testing.assert_array_equal(dataset.low_dim("robot0_eef_pos")[6:12], longer[:6].astype(np.float32))
    assert len(dataset.low_dim("robot0_eef_pos")) == 18
    assert [str(w) for w in dataset.warnings] == [
        f"{path}: demo_1, obs/robot0_eef_pos: found 7 rows for 6 actions; the last, after the last action, "
        "is left out"
    ]


def test_demonstrations_without_a_step_are_left_out_and_said(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(), demo(0), demo(seed=1)])
    dataset = open_dataset(path)
    assert list(dataset.episodes) == ["demo_0", "demo_2"]
    assert "demo_1, actions: it has 0 steps and is left out" in str(dataset.warnings[0])
    with pytest.raises(UserError, match="all without a step"):
        open_dataset(write(tmp_path / "e.hdf5", [demo(0)]))


def test_names_of_any_form_are_in_natural_order(tmp_path: Path) -> None:
    names = ["demo", "episode_10", "episode_9", "take-2b", "007"]
    path = write(tmp_path / "d.hdf5", {name: demo(seed=i) for i, name in enumerate(names)})
    assert list(open_dataset(path).episodes) == ["007", "demo", "episode_9", "episode_10", "take-2b"]


@pytest.mark.parametrize(
    ("actions", "told"),
    [
        (np.zeros((6, 8, 7)), r"one action, a vector of numbers"),
        (np.array([b"left"] * 6), "expected numbers; it holds no numbers"),
    ],
)
def test_actions_that_are_no_vectors_are_refused(actions: np.ndarray, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        open_dataset(write(tmp_path / "d.hdf5", [demo(actions=actions)]))


@pytest.mark.parametrize(
    ("actions", "width", "told"),
    [
        (np.arange(6), 1, "actions are integers (int64)"),
        (np.linspace(0, 1, 6), 1, "actions are of shape () a step"),
        (np.linspace(0, 1, 42).reshape(6, 1, 7), 7, "actions are of shape (1, 7) a step, used as 7 numbers"),
    ],
)
def test_unusual_actions_are_taken_and_said(
    actions: np.ndarray, width: int, told: str, tmp_path: Path
) -> None:
    dataset = open_dataset(write(tmp_path / "d.hdf5", [demo(actions=actions)]))
    np.testing.assert_array_equal(dataset.actions(), actions.reshape(6, width).astype(np.float32))
    assert any(told in str(warning) for warning in dataset.warnings)


def test_an_outlier_is_said_with_the_robust_range(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(60), changed("obs/robot0_eef_pos", 4, 5000), demo(60, seed=2)])
    said = [str(warning) for warning in open_dataset(path).warnings]
    assert len(said) == 1
    assert (
        "demo_1, obs/robot0_eef_pos: column 1 ranges over [" in said[0]
        and "5000], 98 % of it over" in said[0]
    )
    assert "row 4" in said[0]


def test_numbers_that_float32_cannot_tell_apart_are_said(tmp_path: Path) -> None:
    fine = [demo(seed=i) for i in range(2)]
    for one in fine:
        one["obs/robot0_eef_pos"][:, 1] = 1e6 + np.linspace(0, 6e-5, 6)
        one["obs/robot0_eef_pos"][:, 2] = 0.5 + np.linspace(0, 6e-5, 6)  # 1,000 steps of float32
        one["obs/robot0_gripper_qpos"][:, 0] = 0.1 + np.array([0, 1, 2, 1, 0, 1]) * np.spacing(
            0.1
        )  # a constant
    path = write(tmp_path / "d.hdf5", fine)
    said = [str(warning) for warning in open_dataset(path).warnings]
    assert len(said) == 1
    assert said[0].startswith(
        f"{path}: demo_0, obs/robot0_eef_pos: column 1 ranges over [1000000, 1000000.00006]"
    )
    assert "in steps of 0.062 once it is float32" in said[0]


def test_float32_is_too_coarse_for_a_single_demonstration(tmp_path: Path) -> None:
    """Time stamps from 1970 in one of them; a joint that rests in one of them is nothing to say."""
    demos = [demo(seed=i) for i in range(3)]
    demos[1]["obs/robot0_eef_pos"][:, 2] = 1e9 + np.linspace(0, 1, 6)
    demos[2]["obs/robot0_eef_pos"][:, 1] = 1.5 + np.linspace(0, 1e-7, 6)
    said = [str(warning) for warning in open_dataset(write(tmp_path / "d.hdf5", demos)).warnings]
    (coarse,) = [one for one in said if "float32" in one]
    assert (
        "demo_1, obs/robot0_eef_pos: column 2 ranges over [1000000000, 1000000001], in steps of 64" in coarse
    )


MASKS = {
    "absent": (
        {"train": ["demo_0", "demo_7"], "valid": ["demo_1"]},
        "mask/train: not there, of the demonstrations that",
    ),
    "empty": ({"train": ["demo_0"], "valid": []}, "mask/valid: it names no demonstration"),
    "overlap": (
        {"train": ["demo_0", "demo_1"], "valid": ["demo_1"]},
        "mask/valid: 1 demonstration of it also in mask/train: demo_1",
    ),
    "no validation": ({"train": ["demo_0"]}, "every tenth demonstration of mask/train is held out"),
}


@pytest.mark.parametrize("case", MASKS)
def test_masks_that_are_unusual_are_said(case: str, tmp_path: Path) -> None:
    masks, told = MASKS[case]
    path = write(tmp_path / "d.hdf5", [demo(), demo(seed=1)], masks=masks)
    said = [str(warning) for warning in open_dataset(path).warnings]
    assert len(said) == 1 and told in said[0]


def robosuite(delta: bool = True) -> dict[str, object]:
    controller = {"type": "OSC_POSE", "control_delta": delta}
    return {
        "env_name": "Lift",
        "type": 1,
        "env_kwargs": {"controller_configs": controller, "control_freq": 20},
    }


def test_rotation_vectors_that_jump_are_said(tmp_path: Path) -> None:
    """Of an arm that points down, and turns a little beyond half a turn."""
    angle = np.pi + 0.1 * np.array([-1.0, -0.5, 0.2, 0.3, -0.2, -0.3])
    actions = np.zeros((6, 7))
    actions[:, 3] = np.where(angle > np.pi, angle - 2 * np.pi, angle)
    smooth = np.zeros((6, 7))
    smooth[:, 3] = -3  # from the first episode to the second is no step
    path = write(tmp_path / "a.hdf5", [demo(actions=actions), demo(actions=smooth)])
    told = [str(one) for one in open_dataset(path, absolute=True).warnings if "jump" in one.problem]
    assert len(told) == 1 and "demo_0, actions: rotation vectors jump in 2 of 11 steps" in told[0]
    assert not any("jump" in one.problem for one in open_dataset(path).warnings)


def test_actions_that_look_absolute_without_a_word_are_not_guessed(tmp_path: Path) -> None:
    actions = np.random.default_rng(0).uniform(-0.5, 0.5, (6, 7))
    actions[:, 3] = 3.1
    path = write(tmp_path / "d.hdf5", [demo(actions=actions)], robosuite())
    with pytest.raises(UserError, match=r"rotations up to 3.1 .* data.absolute=true or data.absolute=false"):
        open_dataset(path)
    assert open_dataset(path, absolute=True).absolute
    assert not open_dataset(path, absolute=False).absolute
    assert open_dataset(write(tmp_path / "said.hdf5", [demo(actions=actions)], robosuite(False))).absolute


def test_an_action_dict_without_the_second_arm_is_refused(tmp_path: Path) -> None:
    two = demo(actions=np.zeros((6, 14)), action_dict__abs_pos=np.zeros((6, 3)), actions_abs=np.ones((6, 14)))
    path = write(tmp_path / "d.hdf5", [two])
    with pytest.raises(UserError, match=r"found 3 numbers for one arm.*data.actions=\[actions_abs\]"):
        open_dataset(path, actions=["action_dict/abs_pos"])
    assert open_dataset(path, actions="actions_abs").actions().tolist() == [[1] * 14] * 6


def test_deltas_outside_of_the_family_s_box_are_said(tmp_path: Path) -> None:
    actions = np.zeros((6, 7))
    actions[4, 2] = -5.5
    dataset = open_dataset(write(tmp_path / "d.hdf5", [demo(actions=actions)], robosuite()))
    said = [str(warning) for warning in dataset.warnings if "box" in str(warning)]
    assert len(said) == 1
    assert "demo_0, actions: 1 of 6 actions" in said[0] and "-5.5 in dimension 2 of row 4" in said[0]
    assert "rollouts clip" in said[0]


@pytest.mark.parametrize(
    ("episode", "start", "stop", "told"),
    [
        ("demo_9", 0, 1, r"two.hdf5 has no episode 'demo_9'; did you mean 'demo_[01]'\?"),
        ("demo_0", -1, 1, "demo_0: frames -1 to 1: expected 0 <= start <= stop, and it has 6"),
        ("demo_0", 9, None, "demo_0: frames 9 to the end: expected"),
        ("demo_0", 9, 30, "demo_0: frames 9 to 30: expected"),
    ],
)
def test_frames_that_are_not_there_are_refused(
    episode: str, start: int, stop: int | None, told: str, tmp_path: Path
) -> None:
    dataset = open_dataset(write(tmp_path / "two.hdf5", [demo(), demo()]))
    with pytest.raises(UserError, match=told):
        dataset.read_frames(episode, "agentview", start, stop)
    assert len(dataset.read_frames("demo_0", "agentview", 4, 99)) == 2
