"""Paths of HDF5 datasets: a file that cannot be opened is refused by name, never left out or waited for."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from tests.datasets.small_files import demo, picture, write

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"


def truncated(path: Path) -> None:
    content = write(path, [demo()]).read_bytes()
    path.write_bytes(content[: len(content) // 2])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "pointer": (lambda path: path.write_bytes(POINTER), "Git LFS pointer"),
    "text": (lambda path: path.write_text("hello"), "is not an HDF5 file"),
    "truncated": (truncated, "truncated"),
    "dead link": (lambda path: path.symlink_to("gone.hdf5"), "is a link to gone.hdf5, which is not there"),
    "link to itself": (lambda path: path.symlink_to(path.name), "cannot be read"),
    "pipe": (os.mkfifo, "is no regular file but a pipe"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is no regular file but a pipe"),
}


def episode(path: Path) -> None:
    """One of ALOHA's."""
    with h5py.File(path, "w") as file:
        file["action"], file["observations/qpos"] = np.ones((6, 14)), np.ones((6, 14))
        file["observations/images/top"] = picture(6)


@pytest.mark.parametrize("suffix", [".hdf5", ".h5", ".hdf"])
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_in_a_folder_is_refused_by_name(case: str, suffix: str, tmp_path: Path) -> None:
    make, told = BROKEN[case]
    make(tmp_path / f"bad{suffix}")
    for good in (None, lambda path: write(path, [demo()]), episode):
        if good is not None:
            good(tmp_path / "a.hdf5")
        for path in (tmp_path, f"{tmp_path}/*{suffix}", tmp_path / f"bad{suffix}"):
            with pytest.raises(UserError, match=rf"bad{suffix} .*{told}") as raised:
                open_dataset(path).close()
            assert "\n" not in str(raised.value)


def test_other_files_and_folders_beside_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.hdf5", [demo()])
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / "b.hdf5").mkdir()
    assert open_dataset(tmp_path).lengths == [6]


def test_a_file_of_no_known_layout_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "stats.hdf5", "w") as file:
        file["mean"], file["std"] = np.zeros(3), np.ones(3)
    with pytest.raises(UserError, match=r"known format \(.*\); stats.hdf5 has mean, std at its root"):
        open_dataset(tmp_path)
    for good, format in ((lambda path: write(path, [demo()]), "robomimic"), (episode, "aloha")):
        good(tmp_path / "a.hdf5")
        dataset = open_dataset(tmp_path)
        (said,) = [str(warning) for warning in dataset.warnings if "stats.hdf5" in str(warning)]
        assert f"left alone: it has mean, std at its root, which is no {format} dataset" in said
        assert dataset.lengths == [6]
        dataset.close()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/dev/zero", "no regular file"),
        ("/proc/self/mem", "cannot be read"),
        ("x" * 5000, "too long"),
        ("a\0b", "is no path"),
        ("~nobody-of-this-name/a.hdf5", "home"),
    ],
)
@pytest.mark.parametrize("format", ["auto", "robomimic", "aloha"])
def test_paths_that_are_no_files(path: str, told: str, format: str) -> None:
    with pytest.raises(UserError, match=told) as raised:
        open_dataset(path, format=format)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 500


def test_two_files_of_one_episode_are_refused(tmp_path: Path) -> None:
    for ending in ("hdf5", "h5"):
        episode(tmp_path / f"episode_0.{ending}")
    with pytest.raises(
        UserError, match=r"episode_0.h5 and .*episode_0.hdf5 both hold an episode 'episode_0'"
    ):
        open_dataset(tmp_path)


def test_hidden_files_are_left_alone(tmp_path: Path) -> None:
    episode(tmp_path / "episode_0.hdf5")
    (tmp_path / "._episode_0.hdf5").write_bytes(b"what another system keeps beside a file")
    assert list(open_dataset(tmp_path).episodes) == ["episode_0"]


def test_a_flat_file_of_many_trajectories_is_no_episode(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "d4rl.hdf5", "w") as file:
        for key in ("actions", "observations", "terminals"):
            file[key] = np.zeros((60, 3))
    with pytest.raises(UserError, match=r"holds no demonstrations.*actions, observations, terminals"):
        open_dataset(tmp_path / "d4rl.hdf5")
