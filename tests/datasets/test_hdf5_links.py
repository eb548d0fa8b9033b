"""Links and virtual arrays: no file is opened that must not be, however many links lead there."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from tests.datasets.small_files import demo, write

IMAGE = "data/demo_0/obs/agentview_image"
SHAPE = (6, 8, 6, 3)


def linked(path: Path, link: object, where: str = IMAGE) -> Path:
    """A file with two demonstrations in which a link is put in the place of something."""
    write(path, [demo(), demo(seed=1)], masks={"train": ["demo_0"], "valid": ["demo_1"]})
    with h5py.File(path, "a") as file:
        del file[where]
        file[where] = link
    return path


def virtual(path: Path, key: str, source: str, name: str) -> Path:
    layout = h5py.VirtualLayout(SHAPE, np.uint8)
    layout[:] = h5py.VirtualSource(source, name, SHAPE)
    with h5py.File(path, "a") as file:
        if key in file:
            del file[key]
        file.create_virtual_dataset(key, layout)
    return path


PLACES = ["data", "data/demo_0", "data/demo_0/obs", "data/demo_0/actions", IMAGE, "mask", "mask/train"]


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("target", ["pipe", "/dev/zero", "gone.hdf5", "text.hdf5", "."])
def test_a_link_to_no_dataset_is_one_line(where: str, target: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text.hdf5").write_text("hello")
    path = linked(tmp_path / "d.hdf5", h5py.ExternalLink(target, where), where)
    name = {"data/demo_0/obs": "demo_0: its group obs"}.get(where, where.removeprefix("data/"))
    name = name.replace("demo_0/", "demo_0, ")
    told = rf"d.hdf5: {name}: .*{target}.*(no regular file|not there|not an HDF5 file|a folder)"
    with pytest.raises(UserError, match=told) as raised:
        open_dataset(path, allow_links=["/dev"])
    assert "\n" not in str(raised.value) and "nothing of shape" not in str(raised.value)


@pytest.mark.parametrize("where", PLACES)
def test_a_link_to_itself_is_one_line(where: str, tmp_path: Path) -> None:
    path = linked(tmp_path / "d.hdf5", h5py.SoftLink(f"/{where}"), where)
    with pytest.raises(UserError, match="leads to itself"):
        open_dataset(path)


def through_a_file(path: Path) -> None:
    with h5py.File(path.parent / "step.hdf5", "w") as file:
        file["x"] = h5py.ExternalLink("pipe", "x")
    linked(path, h5py.ExternalLink("step.hdf5", "x"))


def through_a_group(path: Path) -> None:
    linked(path, h5py.SoftLink("/step/x"))
    with h5py.File(path, "a") as file:
        file["step"] = h5py.ExternalLink("pipe", "/")


def virtual_array(path: Path) -> None:
    virtual(write(path, [demo(), demo(seed=1)]), IMAGE, "pipe", "x")


def virtual_of_virtual(path: Path) -> None:
    virtual(path.parent / "step.hdf5", "x", "pipe", "x")
    virtual(write(path, [demo(), demo(seed=1)]), IMAGE, "step.hdf5", "x")


@pytest.mark.parametrize("make", [through_a_file, through_a_group, virtual_array, virtual_of_virtual])
def test_no_way_leads_to_a_pipe(make: Callable[[Path], None], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    make(tmp_path / "d.hdf5")
    with pytest.raises(UserError, match=r"demo_0, obs/agentview_image: .*pipe is no regular file"):
        open_dataset(tmp_path / "d.hdf5")


@pytest.mark.parametrize("source", ["d.hdf5", "."])
def test_a_virtual_array_of_nothing_or_of_itself_is_refused(source: str, tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo(), demo(seed=1)])
    with pytest.raises(UserError, match=r"demo_0, obs/agentview_image: .*(leads nowhere|is not there)"):
        open_dataset(virtual(path, IMAGE, source, "nowhere"))
    with pytest.raises(UserError, match="source of itself"):
        open_dataset(virtual(path, IMAGE, source, IMAGE))
    good = virtual(path, IMAGE, source, IMAGE.replace("demo_0", "demo_1"))
    frames = open_dataset(good).read_frames("demo_0", "agentview")
    np.testing.assert_array_equal(frames, demo(seed=1)["obs/agentview_image"])


def test_a_link_to_nowhere_that_nothing_uses_is_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "d.hdf5", [demo()])
    with h5py.File(path, "a") as file:
        file["data/demo_0/obs/more"] = h5py.SoftLink("/gone")
    (warning,) = open_dataset(path).warnings
    assert "left alone: obs/more (its link to /gone leads nowhere)" in str(warning)


def test_a_source_of_a_source_is_part_of_the_identity(tmp_path: Path) -> None:
    """Recorded again, it is encoded again; so is one behind a link of the source."""

    def record(value: int) -> None:
        with h5py.File(tmp_path / "raw.hdf5", "w") as file:
            file["x"] = np.full(SHAPE, value, np.uint8)

    record(1)
    virtual(tmp_path / "second.hdf5", "x", "raw.hdf5", "x")
    with h5py.File(tmp_path / "second.hdf5", "a") as file:
        file["linked"] = h5py.ExternalLink("raw.hdf5", "x")
    for name in ("x", "linked"):
        virtual(tmp_path / "first.hdf5", "x", "second.hdf5", name)
        path = virtual(write(tmp_path / "d.hdf5", [demo(), demo(seed=1)]), IMAGE, "first.hdf5", "x")

        def identities(path: Path = path) -> list[str]:
            dataset = open_dataset(path)
            found = [dataset.episode_identity(episode, "agentview") for episode in dataset.episodes]
            dataset.close()
            return found

        before = identities()
        assert identities() == before
        record(2)
        after = identities()
        assert before[0] != after[0] and before[1] == after[1]
        record(1)


def test_virtual_arrays_too_deep_or_in_a_circle_are_one_line(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "0.hdf5", "w") as file:
        file["x"] = np.zeros(SHAPE, np.uint8)
    for i in range(1, 40):
        virtual(tmp_path / f"{i}.hdf5", "x", f"{i - 1}.hdf5", "x")
    path = write(tmp_path / "d.hdf5", [demo(), demo(seed=1)])
    for depth, fits in ((15, True), (16, False), (39, False)):
        virtual(path, IMAGE, f"{depth}.hdf5", "x")
        if fits:
            dataset = open_dataset(path)
            assert dataset.episode_identity("demo_0", "agentview").count(" | ") == depth + 1
            dataset.close()
            continue
        with pytest.raises(UserError, match="more than 16 one behind the other"):
            open_dataset(path)
    virtual(tmp_path / "0.hdf5", "x", "5.hdf5", "x")
    virtual(path, IMAGE, "5.hdf5", "x")
    with pytest.raises(UserError, match="is a source of itself"):
        open_dataset(path)


def test_a_source_that_went_away_since_is_one_line(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "raw.hdf5", "w") as file:
        file["x"] = np.zeros(SHAPE, np.uint8)
    path = virtual(write(tmp_path / "d.hdf5", [demo(), demo(seed=1)]), IMAGE, "raw.hdf5", "x")
    dataset = open_dataset(path)
    (tmp_path / "raw.hdf5").unlink()
    with pytest.raises(UserError, match=r"d.hdf5: demo_0, obs/agentview_image: .*raw.hdf5 is not there"):
        dataset.episode_identity("demo_0", "agentview")
