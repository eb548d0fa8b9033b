"""What a killed or crashed collection left is gone on from, or named in one line."""

from pathlib import Path

import h5py
import pytest

from s2robot.collecting.parts import claimed, kept_parts, part_path
from s2robot.errors import UserError

SETTINGS = '{"episodes": 3}'


def write_part(path: Path, kept: bool) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("demo").attrs["kept"] = kept


@pytest.mark.parametrize("content", ["", "[1]", '{"episodes": ', "\udcff"])
def test_damaged_settings_are_named(content: str, tmp_path: Path) -> None:
    parts = tmp_path / "a.hdf5.parts"
    parts.mkdir()
    write_part(part_path(parts, "000000"), True)
    (parts / "settings.json").write_bytes(content.encode(errors="surrogateescape"))
    with (
        pytest.raises(UserError, match=r"settings\.json is damaged .*delete"),
        claimed(tmp_path / "a.hdf5", SETTINGS),
    ):
        pass
    assert part_path(parts, "000000").exists()


@pytest.mark.parametrize("size", [0, 100])
def test_a_part_that_was_cut_off_is_made_again(
    size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, kept in (("000000", True), ("000001", False), ("000002", True)):
        write_part(part_path(tmp_path, name), kept)
    cut = part_path(tmp_path, "000002")
    cut.write_bytes(cut.read_bytes()[:size])
    assert kept_parts(tmp_path) == {"000000": True, "000001": False}
    assert f"{cut} is damaged" in capsys.readouterr().out
    assert not cut.exists()


def test_two_at_once_of_one_file_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "a.hdf5"
    with claimed(out, SETTINGS) as parts:
        write_part(part_path(parts, "000000"), True)
        with pytest.raises(UserError, match=r"a\.hdf5 is being written by process"), claimed(out, SETTINGS):
            pass
    assert sorted(path.name for path in parts.iterdir()) == ["000000.hdf5", "settings.json"]
    with claimed(out, SETTINGS):
        out.touch()
    assert list(tmp_path.iterdir()) == [out]
