"""Names and units of the numbers of an action: from the format, the family or the mapping."""

from pathlib import Path

import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.datasets.action_numbers import action_numbers
from s2robot.datasets.lerobot.info import Feature
from tests.datasets.small_files import GYM, demo, write

ARM = ["x", "y", "z", "rx", "ry", "rz", "gripper"]


def test_a_known_family(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo()], {"env_name": "Lift", "type": 1, "env_kwargs": {}})
    deltas = action_numbers(open_dataset(path))
    assert [one.name for one in deltas] == ARM
    assert {one.unit for one in deltas} == {"[-1, 1]"}
    poses = action_numbers(open_dataset(path, absolute=True))
    assert [one.name for one in poses] == ARM
    assert [one.unit for one in poses] == ["m"] * 3 + ["rad"] * 3 + [""]


def test_an_unknown_family_and_a_mapping(tmp_path: Path) -> None:
    actions = np.random.default_rng(0).uniform(-1, 1, (6, 3))
    path = write(tmp_path / "d.hdf5", [demo(actions=actions, close=np.zeros((6, 1)))], GYM)
    assert [one.name for one in action_numbers(open_dataset(path))] == [f"actions[{i}]" for i in range(3)]
    mapped = action_numbers(open_dataset(path, actions={"arm": "actions", "gripper": "close"}))
    assert [one.name for one in mapped] == ["arm[0]", "arm[1]", "arm[2]", "gripper"]
    assert [one.is_gripper for one in mapped] == [False, False, False, True]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (["a", "b"], ("a", "b")),
        ({"motors": ["a", "b"]}, ("a", "b")),
        ({"left": ["a"], "right": ["b"]}, ("a", "b")),
        ({"a": 0, "b": 1}, ("a", "b")),
        (["a"], ()),
        ({"motors": 7}, ()),
        ([1, 2], ()),
        (None, ()),
    ],
)
def test_names_that_lerobot_declares(declared: object, expected: tuple[str, ...]) -> None:
    assert Feature("float32", (2,), declared).row_names == expected


def test_lerobots_names_are_the_actions() -> None:
    recorded = open_dataset(Path(__file__).with_name("lerobot") / "data" / "lerobot_v3_h264")
    assert len({one.name for one in action_numbers(recorded)}) == 6
