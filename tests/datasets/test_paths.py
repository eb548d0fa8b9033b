"""What `data.path` may be, and what it may not."""

from pathlib import Path
from typing import Any

import pytest

from s2robot.datasets import open_dataset
from s2robot.datasets.options import DataConfig
from s2robot.errors import UserError
from tests.datasets.small_files import demo, write


def test_a_glob_below_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.hdf5", [demo()])
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_dataset("~/*.hdf5").path == open_dataset("~/a.hdf5").path == path


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("path", [[1], [1, 2], 1, [["a"]], None, True])
def test_what_is_no_text_is_no_path(path: Any) -> None:
    with pytest.raises(UserError, match="is no path and no list of paths"):
        open_dataset(path)
    with pytest.raises(UserError, match="is no path and no list of paths"):
        open_dataset(DataConfig(path=path))


@pytest.mark.parametrize("path", ["https://x.org/a.hdf5", "s3://bucket/a", "hf://datasets/a/b", "file:///a"])
def test_an_address_must_be_downloaded_first(path: str) -> None:
    with pytest.raises(UserError, match=f"^data.path={path} is an address: download it first") as raised:
        open_dataset(path)
    assert "collect" not in str(raised.value)


def test_what_the_file_system_refuses() -> None:
    with pytest.raises(UserError, match="can be no path: ") as raised:
        open_dataset("x" * 5000)
    assert len(str(raised.value)) < 150


def test_what_is_no_dataset_among_the_matches_of_a_glob_is_left_alone_and_told(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name, [demo(seed=i)]) for i, name in enumerate(("a.hdf5", "b.hdf5")))
    note = tmp_path / "README.md"
    note.write_text("by hand")
    dataset = open_dataset(str(tmp_path / "*"))
    assert [source.path for source in dataset.sources] == [first, second]
    assert [str(one) for one in dataset.warnings] == [
        f"{tmp_path / 'README.md'}: left alone: it is no dataset"
    ]
    (tmp_path / "c.hdf5").write_text("cut off")  # what is called a dataset is never left alone
    with pytest.raises(UserError, match=r"c\.hdf5"):
        open_dataset(str(tmp_path / "*"))


def test_a_glob_that_matches_no_dataset_is_refused(tmp_path: Path) -> None:
    for name in ("README.md", "NOTES.md"):
        (tmp_path / name).write_text("by hand")
    with pytest.raises(UserError, match=r"NOTES\.md"):
        open_dataset(str(tmp_path / "*"))
