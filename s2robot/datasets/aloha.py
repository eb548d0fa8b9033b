"""Episodes in HDF5 files of their own, as ALOHA's recorder and its relatives write them, and DROID's.

    episode_0.hdf5                    attrs: sim
      action          (t, da)         DROID: a group, action/cartesian_position, action/gripper_position, ...
      observations/   qpos (t, d), images/<camera> uint8 (t, h, w, 3) or JPEG streams padded to equal length
                      (DROID: observation/robot_state/..., observation/camera/image/<camera>)

Layout: record_episodes.py in https://github.com/tonyzhaozh/act.
"""

from pathlib import Path
from typing import Any

import h5py

from s2robot.datasets import hdf5, hdf5_arrays, hdf5_files
from s2robot.datasets.hdf5_files import readable
from s2robot.datasets.hdf5_links import Folders
from s2robot.datasets.hdf5_source import Hdf5Source
from s2robot.datasets.opened import Opened
from s2robot.datasets.options import DataConfig
from s2robot.datasets.source import Source, SourceEpisode
from s2robot.errors import UserError

GROUPS = ("observations", "observation")
OPEN_FILES = 8


class Aloha(Hdf5Source, Source):
    """A folder with one file an episode, or one such file.

    Raises `UserError` in one line for files that cannot be opened, or that have no observations.
    """

    format = "aloha"
    actions: str | None = "action"

    def __init__(self, path: Path, options: DataConfig) -> None:
        self.path = Path(path)
        files = hdf5_files.files_with(self.path, GROUPS)
        if not files:
            hdf5_files.open_hdf5(self.path).close()  # says what is wrong with a file
            raise UserError(f"{self.path} has no group 'observations': is this ALOHA's format?")
        self.folders = Folders(self.path, options.allow_links or ())
        self._opened: Opened[h5py.File] = Opened(OPEN_FILES)
        self.info: dict[str, Any] = {}
        self.episodes = [self._episode(file) for file in files]
        keys = {key for episode in self.episodes for key in episode.arrays}
        groups = [f"{group}/" for group in GROUPS]
        self.observations = next((one for one in groups if any(k.startswith(one) for k in keys)), groups[0])
        if self.actions not in keys:
            self.actions = None

    @staticmethod
    def found(path: Path) -> list[Path]:
        """See `Format`: a file with a group of observations at its root, or a folder with such files."""
        return [path] if hdf5_files.files_with(path, GROUPS) else []

    def close(self) -> None:
        self._opened.close()

    def group(self, episode: int) -> h5py.Group:
        """See `Hdf5Source`: the root of the episode's file."""
        return self._file(self.episodes[episode].file)

    def _file(self, file: Path) -> h5py.File:
        return self._opened.get(file, lambda: hdf5_files.open_hdf5(file))

    def _episode(self, file: Path) -> SourceEpisode:
        opened = self._file(file)
        with readable(file):
            arrays = {key: hdf5_arrays.declare(array) for key, array in hdf5.arrays(opened, self.folders)}
            return SourceEpisode(name=file.stem, file=file, arrays=arrays, info=dict(opened.attrs))
