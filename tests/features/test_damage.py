"""A store whose files were changed is refused in one line, wherever the change is, before it is used."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from s2robot.errors import UserError
from s2robot.features import CameraStore, FeatureTable, build, place
from tests.features.frame_cases import CountingEncoders, Frames, stored_in

FILES = ("rows", "records", "index", "episodes", "frames")
CHANGES = 50


def opened(tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders) -> FeatureTable:
    return CameraStore(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path)).table()


def placed(tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders) -> FeatureTable:
    return place({"cam": opened(tmp_path, episodes, encoders)}, "cpu", "ram")["cam"]


@pytest.mark.parametrize("name", FILES)
def test_every_changed_byte_is_noticed(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders, name: str
) -> None:
    build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path), progress=False)
    (file,) = tmp_path.glob(f"*/segments/*/{name}.bin")
    whole, generator = file.read_bytes(), np.random.default_rng(0)
    accepted = []
    for at in generator.integers(0, len(whole), CHANGES).tolist():
        changed = bytearray(whole)
        changed[at] ^= int(generator.integers(1, 256))
        file.write_bytes(changed)
        try:
            placed(tmp_path, episodes, encoders)
            accepted.append(at)
        except UserError as error:
            assert "damaged" in str(error) and "delete" in str(error) and str(file.parent) in str(error)
    assert accepted == []
    file.write_bytes(whole)
    placed(tmp_path, episodes, encoders)


@pytest.mark.parametrize("name", FILES)
def test_what_the_line_says_mends_it(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders, name: str
) -> None:
    build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path), progress=False)
    expected = placed(tmp_path, episodes, encoders)
    (file,) = tmp_path.glob(f"*/segments/*/{name}.bin")
    changed = bytearray(file.read_bytes())
    changed[len(changed) // 2] ^= 1
    file.write_bytes(changed)
    with pytest.raises(UserError) as raised:
        placed(tmp_path, episodes, encoders)
    first, *others = str(raised.value).partition("; delete ")[2].partition(" and build")[0].split(" and ")
    for path in [Path(first), *(Path(first).with_name(other) for other in others)]:
        for one in [path] if path.is_file() else list(path.iterdir()):
            one.unlink()
    build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path), progress=False)
    again = placed(tmp_path, episodes, encoders)
    frames = torch.arange(18)[:, None]
    assert torch.equal(again.gather(frames).map, expected.gather(frames).map)


def test_rows_on_the_disk_are_checked_when_they_are_gathered_first(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path), progress=False)
    (file,) = tmp_path.glob("*/segments/*/rows.bin")
    with file.open("r+b") as rows:
        rows.seek(7 * 112 * 4 * 2 + 3)
        rows.write(b"\xff")
    table = opened(tmp_path, episodes, encoders)
    table.gather(torch.tensor([[0, 1], [6, 8]]))
    with pytest.raises(UserError, match="row 7 is not what was stored"):
        table.gather(torch.tensor([[0, 7]]))


@pytest.mark.parametrize("instead", ["a folder", "a link to itself", "a pipe"])
def test_what_is_no_file_is_not_waited_for(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders, instead: str
) -> None:
    build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path), progress=False)
    for name in FILES:
        (file,) = tmp_path.glob(f"*/segments/*/{name}.bin")
        whole = file.read_bytes()
        file.unlink()
        if instead == "a folder":
            file.mkdir()
        elif instead == "a pipe":
            os.mkfifo(file)
        else:
            file.symlink_to(file)
        with pytest.raises(UserError, match=rf"{name}\.bin") as error:
            placed(tmp_path, episodes, encoders)
        assert "\n" not in str(error.value)
        file.rmdir() if instead == "a folder" else file.unlink()
        file.write_bytes(whole)
