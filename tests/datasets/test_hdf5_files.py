"""HDF5 files that are not what they should be, and links: one line each, never a file that is not allowed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from tests.datasets.small_files import GYM, demo, picture, write

BAD = {
    "empty": (b"", "is empty"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "Git LFS pointer"),
    "text": (b"hello\n", "is not an HDF5 file"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("format", ["auto", "robomimic", "aloha"])
def test_files_of_another_kind(case: str, format: str, tmp_path: Path) -> None:
    content, told = BAD[case]
    path = tmp_path / "d.hdf5"
    path.write_bytes(content)
    with pytest.raises(UserError, match=told) as raised:
        open_dataset(path, format=format)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_being_written_says_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo()])
    held = "import h5py, sys; f = h5py.File(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", held, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "open\n"
        with pytest.raises(UserError, match=r"open for writing.*HDF5_USE_FILE_LOCKING|h5clear"):
            open_dataset(path)
        writer.communicate("")


def test_a_file_of_a_newer_version(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo()])
    content = bytearray(path.read_bytes())
    content[8] = 9  # version of the superblock
    path.write_bytes(content)
    with pytest.raises(UserError, match="newer version of HDF5"):
        open_dataset(path)


def test_a_wrong_format_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo()])
    with pytest.raises(UserError, match="ALOHA's format"):
        open_dataset(path, format="aloha")
    with pytest.raises(UserError, match=r"unknown data.format 'robomimc'; did you mean 'robomimic'"):
        open_dataset(path, format="robomimc")


def link_file(path: Path, target: str, count: int = 2) -> Path:
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps(GYM)
        for i in range(count):
            data[f"demo_{i}"] = h5py.ExternalLink(target, f"data/demo_{i}")
    return path


def test_links_inside_the_folder_are_followed_and_their_target_is_the_identity(tmp_path: Path) -> None:
    write(tmp_path / "b.hdf5", [demo(seed=1), demo(seed=2)])
    write(tmp_path / "a.hdf5", [demo(seed=3)])
    path = link_file(tmp_path / "links.hdf5", "b.hdf5")
    with h5py.File(path, "a") as file:
        file["data/demo_2"] = h5py.ExternalLink("a.hdf5", "data/demo_0")
    before = open_dataset(path)
    names = list(before.episodes)
    np.testing.assert_array_equal(before.read_frames("demo_1", "agentview"), picture(6, seed=2))
    identities = [before.episode_identity(name, "agentview") for name in names]
    before.close()
    assert len(set(identities)) == 3
    write(tmp_path / "b.hdf5", [demo(seed=7), demo(seed=8)])  # recorded again
    after = open_dataset(path)
    changed = [after.episode_identity(name, "agentview") for name in names]
    assert [old == new for old, new in zip(identities, changed, strict=True)] == [False, False, True]
    direct = open_dataset(tmp_path / "b.hdf5")
    assert direct.episode_identity("demo_0", "agentview") == changed[0]  # found from either side


def test_links_elsewhere_are_refused_unless_the_folder_is_allowed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "own").mkdir()
    elsewhere.mkdir()
    write(elsewhere / "b.hdf5", [demo(), demo(seed=1)])
    for target in (str(elsewhere / "b.hdf5"), "../elsewhere/b.hdf5"):
        path = link_file(tmp_path / "own/links.hdf5", target)
        with pytest.raises(UserError, match=rf"demo_0: .*data.allow_links=\[{elsewhere}\]"):
            open_dataset(path)
        assert open_dataset(path, allow_links=[str(elsewhere)]).lengths == [6, 6]
    (tmp_path / "own/inside.hdf5").symlink_to(elsewhere / "b.hdf5")  # leads out as well
    with pytest.raises(UserError, match=r"data.allow_links"):
        open_dataset(link_file(tmp_path / "own/links.hdf5", "inside.hdf5"))


def test_a_chain_of_links_does_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    write(tmp_path / "b.hdf5", [demo()])
    with h5py.File(tmp_path / "own/step.hdf5", "w") as file:
        file["data"] = h5py.ExternalLink("../b.hdf5", "data")
    path = link_file(tmp_path / "own/links.hdf5", "step.hdf5", 1)
    with pytest.raises(UserError, match=r"data.allow_links"):
        open_dataset(path)


def test_a_dead_link_names_the_demonstration_and_the_target(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo()])
    with h5py.File(path, "a") as file:
        file["data/demo_8"] = h5py.ExternalLink("gone.hdf5", "data/demo_0")
    with pytest.raises(UserError, match=r"d.hdf5: demo_8: its link's target .*gone.hdf5 is not there"):
        open_dataset(path)
    with h5py.File(path, "a") as file:
        del file["data/demo_8"]
        file["data/demo_8"] = h5py.SoftLink("/data/demo_7")
    with pytest.raises(UserError, match="demo_8: its link to /data/demo_7 leads nowhere"):
        open_dataset(path)


def add_external(path: Path, file: h5py.File) -> None:
    (path.parent / "raw").write_bytes(bytes(6 * 3 * 8))
    file.create_dataset("data/demo_0/obs/raw", (6, 3), "f8", external=[(str(path.parent / "raw"), 0, 144)])


def add_virtual(path: Path, file: h5py.File) -> None:
    layout = h5py.VirtualLayout((6, 3), "f8")
    layout[:] = h5py.VirtualSource("../other.hdf5", "x", (6, 3))
    file.create_virtual_dataset("data/demo_0/obs/raw", layout)


@pytest.mark.parametrize(("add", "told"), [(add_external, "external storage"), (add_virtual, "allow_links")])
def test_arrays_from_elsewhere_are_left_alone_and_refused_when_chosen(
    add: Any, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "own" / "d.hdf5"
    path.parent.mkdir()
    write(path, [demo()])
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["x"] = np.ones((6, 3))
    with h5py.File(path, "a") as file:
        add(path, file)
    assert open_dataset(path).lengths == [6]
    with pytest.raises(UserError, match=f"demo_0, obs/raw: .*{told}"):
        open_dataset(path, proprio=["raw"])


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo()])
    with h5py.File(path, "a") as file:
        file["data/demo_0/obs/again"] = file["data/demo_0"]
    assert open_dataset(path, cameras=["agentview_image"]).lengths == [6]


def test_identity_changes_with_content_of_the_same_size_and_time(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo()])
    before, times = open_dataset(path), os.stat(path)
    identity = before.episode_identity("demo_0", "agentview")
    before.close()
    with h5py.File(path, "a") as file:
        file["data/demo_0/obs/agentview_image"][0] = 7
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert open_dataset(path).episode_identity("demo_0", "agentview") != identity
