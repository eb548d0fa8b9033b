"""Actions that are not what they seem: copies of the state, another gripper's values, half a robot."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from s2robot.datasets import open_dataset
from tests.datasets.small_files import demo, picture, write

STEPS = 12


def warnings(path: Path | list[Path], *words: str) -> list[str]:
    return [text for text in map(str, open_dataset(path).warnings) if all(word in text for word in words)]


def aloha(path: Path, follows: int, **more: np.ndarray) -> Path:
    """An episode whose actions are the joint positions of so many rows later."""
    joints = np.random.default_rng(0).normal(size=(STEPS + 1, 14)).cumsum(0)
    with h5py.File(path, "w") as file:
        file["observations/qpos"] = joints[:STEPS]
        file["action"] = joints[follows : follows + STEPS]
        file["observations/images/top"] = picture(STEPS)
        for key, values in more.items():
            file[key] = values
    return path


@pytest.mark.parametrize(("follows", "copied"), [(0, True), (1, False)])
def test_actions_that_copy_the_state_are_told(tmp_path: Path, follows: int, copied: bool) -> None:
    path = aloha(tmp_path / "episode_0.hdf5", follows)
    told = warnings(path, "action: the actions are the values of observations/qpos in the same row")
    assert bool(told) == copied


def test_a_base_that_is_left_out_is_told(tmp_path: Path) -> None:
    path = aloha(tmp_path / "episode_0.hdf5", 1, base_action=np.ones((STEPS, 2)))
    assert warnings(path, "base_action", "data.actions=[action,base_action] trains on both")
    both = open_dataset(path, actions=["action", "base_action"])
    assert both.actions().shape == (STEPS, 16)
    assert not [one for one in both.warnings if "left out" in str(one)]


@pytest.mark.parametrize(("other", "told"), [((0, 1), True), ((-1, 1), False)])
def test_grippers_of_other_values_in_sources_used_together_are_told(
    tmp_path: Path, other: tuple[int, int], told: bool
) -> None:
    paths: list[Path] = []
    for name, values in (("a", (-1, 1)), ("b", other)):
        one = demo(steps=STEPS, seed=len(paths))
        one["actions"][:, 6] = np.resize(values, STEPS)
        paths.append(write(tmp_path / f"{name}.hdf5", [one]))
    found = warnings(paths, f"b.hdf5: demo_0, actions: column 6 is 0 or 1, and -1 or 1 in {paths[0]}")
    assert bool(found) == told
