"""Rotations given as quaternions: signs that jump, and sources in another order, are told."""

from pathlib import Path

import numpy as np

from s2robot.datasets.opening import open_dataset
from s2robot.datasets.quaternions import quaternions
from tests.datasets.small_files import demo, write

KEY = "obs/robot0_eef_quat"
DOWN = np.array([0.99, 0.1, 0.1, 0.0]) / np.linalg.norm(
    [0.99, 0.1, 0.1]
)  # x, y, z, w of a hand that looks down


def told(*paths: Path) -> list[str]:
    path: str | list[str] = str(paths[0]) if len(paths) == 1 else list(map(str, paths))
    errors, warnings = quaternions(open_dataset(path))
    assert not errors
    return list(map(str, warnings))


def still(quaternion: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    return demo(seed=seed, obs__robot0_eef_quat=np.tile(quaternion, (6, 1)))


def test_a_sign_that_jumps_is_told_once_with_its_row(tmp_path: Path) -> None:
    jumping = [still(DOWN, seed) for seed in range(2)]
    for one in jumping:
        one[KEY][2:4] *= -1
    (problem,) = told(write(tmp_path / "d.hdf5", jumping))
    assert (
        f"demo_0, {KEY}: the quaternion changes its sign 2 times without a rotation, first at row 2"
        in problem
    )
    assert problem.endswith("(and 1 more episode)")


def test_the_sign_of_another_episode_is_its_own(tmp_path: Path) -> None:
    assert told(write(tmp_path / "d.hdf5", [still(DOWN, 0), still(-DOWN, 1)])) == []


def test_a_fast_rotation_is_no_jump(tmp_path: Path) -> None:
    angles = np.arange(6) * np.pi / 3  # 120 degrees a row
    turning = np.stack([np.sin(angles), 0 * angles, 0 * angles, np.cos(angles)], axis=1)
    assert told(write(tmp_path / "d.hdf5", [demo(obs__robot0_eef_quat=turning)])) == []


def test_sources_of_another_order_are_told(tmp_path: Path) -> None:
    first = write(tmp_path / "xyzw.hdf5", [still(DOWN)])
    other = write(tmp_path / "wxyz.hdf5", [still(np.roll(-DOWN, 1))])
    (problem,) = told(first, other)
    assert problem.startswith(str(other)) and f"look like those of {first} in another order" in problem
    assert told(first, write(tmp_path / "same.hdf5", [still(-DOWN)])) == []


def test_another_pose_is_no_other_order(tmp_path: Path) -> None:
    level = np.array([0.5, 0.5, 0.5, 0.5])
    assert told(write(tmp_path / "a.hdf5", [still(DOWN)]), write(tmp_path / "b.hdf5", [still(level)])) == []
