"""Demonstrations on a disk that is full: an error of the operating system, and nothing half-written."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from s2robot.collecting.writer import Episode, assemble, write_part

LIMIT_BYTES = 20_000


@contextmanager
def little_room() -> Iterator[None]:
    """A limit of the size of files stands for a disk that is full."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def episode(steps: int) -> Episode:
    return Episode(1, True, None, {"actions": np.ones((steps, 7))}, {"robot0_eef_pos": np.ones((steps, 3))})


def test_a_full_disk(tmp_path: Path) -> None:
    with little_room(), pytest.raises(OSError, match="File too large"):
        write_part(tmp_path / "part.hdf5", episode(1000), keep=True)
    assert not list(tmp_path.iterdir())
    parts = [tmp_path / f"{i}.hdf5" for i in range(4)]
    with little_room():
        for part in parts:
            write_part(part, episode(100), keep=True)
        with pytest.raises(OSError, match="File too large"):
            assemble(parts, tmp_path / "all.hdf5", {"env_name": "a", "env_kwargs": {}}, {})
    assert sorted(tmp_path.iterdir()) == parts
    assemble(parts, tmp_path / "all.hdf5", {"env_name": "a", "env_kwargs": {}}, {})
    with h5py.File(tmp_path / "all.hdf5") as file:
        assert file["data"].attrs["total"] == 400
