"""A dataset format: a folder with one NumPy file an episode.

    demos/
      episode_0.npz     actions (t, da)  qpos (t, d)  front (t, h, w, 3) uint8 ...
      episode_1.npz

A format only tells which arrays there are, and reads them. Cameras, proprioception, splits, checks and
conversions are s2robot's.
"""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from s2robot.datasets.options import DataConfig
from s2robot.datasets.problem import Problem
from s2robot.datasets.source import Recorded, Source, SourceEpisode
from s2robot.errors import UserError

ACTIONS = "actions"
FAULTS = (OSError, ValueError, zipfile.BadZipFile, KeyError, EOFError)  # of damaged files


class Npz(Source):
    """Such a folder."""

    format = "npz"
    actions = ACTIONS

    def __init__(self, path: Path, options: DataConfig) -> None:
        """Reads the headers of the arrays. Raises `UserError` for a file that is no NumPy archive."""
        self.path = path
        self.episodes = [SourceEpisode(file.stem, file, _declared(file)) for file in _files(path)]
        self._read: tuple[tuple[int, str], np.ndarray] | None = None  # the last array: pieces of it come next

    @staticmethod
    def found(path: Path) -> Sequence[Path]:
        """See `Format`."""
        return [path] if path.is_dir() and _files(path) else []

    def read(self, episode: int, key: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """See `Source`."""
        if self._read is None or self._read[0] != (episode, key):
            one = self.episodes[episode]
            try:
                with np.load(one.file, allow_pickle=False) as arrays:
                    self._read = (episode, key), arrays[key]
            except FAULTS as error:
                told = f"it cannot be read: {error}"
                raise UserError(str(Problem(told, str(one.file), one.name, key))) from error
        return self._read[1][start:stop]

    def identity(self, episode: int, key: str) -> str:
        """See `Source`: a file that was written again has another time or size."""
        status = self.episodes[episode].file.stat()
        return f"{key} {self.episodes[episode].file.resolve()} {status.st_size} {status.st_mtime_ns}"

    def close(self) -> None:
        self._read = None


def _files(folder: Path) -> list[Path]:
    """In the order of their numbers: episode_2 before episode_10."""

    def numbers(file: Path) -> tuple[list[int], str]:
        return [int(digits) for digits in re.findall(r"\d+", file.stem)], file.name

    return sorted(folder.glob("*.npz"), key=numbers)


def _declared(file: Path) -> dict[str, Recorded]:
    """The arrays of a file, by their headers alone."""
    arrays = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.namelist():
                with archive.open(member) as content:
                    arrays[member.removesuffix(".npy")] = _recorded(*_header(content))
    except FAULTS as error:
        raise UserError(f"{file} is no archive of NumPy arrays: {error}") from error
    return arrays


def _header(content: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, _, dtype = read[npy.read_magic(content)](content)
    return shape, dtype


def _recorded(shape: tuple[int, ...], dtype: np.dtype) -> Recorded:
    rows, row = (shape[0], shape[1:]) if shape else (0, ())
    if dtype == np.uint8 and len(row) == 3 and row[-1] == 3:
        return Recorded("frames", rows, row, "uint8")
    if shape and dtype.kind in "fiub":
        return Recorded("numbers", rows, row, str(dtype))
    return Recorded("other", rows, row, str(dtype), note="neither colour frames nor numbers along time")
