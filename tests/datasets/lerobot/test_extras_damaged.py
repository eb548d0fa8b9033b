"""Arrays beside a LeRobot set: a damaged file is one line, whichever byte is wrong."""

from pathlib import Path

import numpy as np
import pytest

from s2robot.datasets.lerobot.extras import Extras
from s2robot.datasets.lerobot.files import Folder
from s2robot.errors import UserError

EPISODE = "episode_000000"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_each_wrong_byte_is_one_line_or_harmless(tmp_path: Path, save) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "extras" / EPISODE / "arrays.npz"
    file.parent.mkdir(parents=True)
    save(file, states=np.arange(6.0).reshape(3, 2))
    whole, refused = file.read_bytes(), 0
    for position in range(len(whole)):
        for bits in (0x01, 0xFF):
            damaged = bytearray(whole)
            damaged[position] ^= bits
            file.write_bytes(damaged)
            extras = Extras(Folder(tmp_path))
            try:
                extras.headers(EPISODE)
                extras.array(EPISODE, "states")
            except UserError as error:
                assert "\n" not in str(error) and "cannot be read" in str(error)
                refused += 1
    assert refused > len(whole) // 2
