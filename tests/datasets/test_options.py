"""Options of a dataset that are of another type, or cannot be, are one line each."""

from pathlib import Path
from typing import Any

import pytest

from s2robot.datasets import open_dataset
from s2robot.datasets.options import DataConfig
from s2robot.errors import UserError
from tests.datasets.small_files import demo, write


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", None),
        ("format", 3),
        ("tolerance_s", "x"),
        ("tolerance_s", [0.1]),
        ("absolute", "yes"),
        ("train", ["a"]),
        ("weights", [1, float("inf")]),
        ("weights", [True, False]),
    ],
)
def test_values_that_cannot_be(name: str, value: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo()])
    with pytest.raises(UserError, match=rf"data.{name}=") as raised:
        open_dataset(path, **{name: value})
    assert "\n" not in str(raised.value)


def test_an_orientation_of_a_camera_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo()])
    with pytest.raises(
        UserError, match=r"unknown camera in data.orientation 'agentvew'; did you mean 'agentview'"
    ):
        open_dataset(path, orientation={"agentvew": "upright"})
    flipped = open_dataset(path, orientation={"agentview": "flipped_rows"})
    assert flipped.flips("agentview") == (0,)


def test_an_unknown_option_is_refused_beside_a_whole_configuration(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown option of a dataset 'camera'; did you mean 'cameras'"):
        open_dataset(DataConfig(path=str(tmp_path)), camera=[])
