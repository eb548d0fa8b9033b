"""Weights files that are damaged or hostile are refused in one line, before they take memory."""

import random
import zipfile
from pathlib import Path

import pytest
import torch

from s2robot.encoders.weights import load_state
from s2robot.errors import UserError


@pytest.mark.parametrize("as_zip", [True, False])
def test_damaged_files_are_read_or_refused(as_zip: bool, tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    state = {"a": torch.ones(4, 5), "model": {"b.c": torch.arange(10)}}
    torch.save(state, file, _use_new_zipfile_serialization=as_zip)
    whole = file.read_bytes()
    refused = 0
    for seed in range(100):
        draw = random.Random(seed)
        changed = bytearray(whole)
        for _ in range(draw.choice([1, 3])):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        file.write_bytes(changed[: draw.choice([None, draw.randrange(len(changed))])])
        try:
            load_state(file)
        except UserError as error:
            refused += 1
            assert "is no checkpoint of tensors" in str(error) and "\n" not in str(error)
    assert refused > 20


def test_an_archive_that_unpacks_to_more_than_it_is_is_not_unpacked(tmp_path: Path) -> None:
    file, bomb = tmp_path / "w.pth", tmp_path / "bomb.pth"
    torch.save({"a": torch.zeros(2**20)}, file)
    with zipfile.ZipFile(file) as read, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as written:
        for entry in read.infolist():
            written.writestr(entry.filename, read.read(entry))
    assert load_state(file)["a"].shape == (2**20,)
    with pytest.raises(UserError, match=r"its parts declare \d+ bytes and the file has \d+"):
        load_state(bomb)
