"""What sources of HDF5 files have in common: how their arrays are read and told apart."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import h5py
import numpy as np

from s2robot.datasets import hdf5, hdf5_arrays
from s2robot.datasets.hdf5_files import FAULTS, readable, said
from s2robot.datasets.hdf5_links import Folders
from s2robot.datasets.problem import Problem
from s2robot.datasets.source import SourceEpisode
from s2robot.errors import UserError


class Hdf5Source(ABC):
    """A `Source` that knows the HDF5 dataset of each of its arrays."""

    episodes: Sequence[SourceEpisode]

    folders: Folders  # in which links may end

    @abstractmethod
    def group(self, episode: int) -> h5py.Group:
        """The group that holds an episode's arrays by their keys, links to the group itself resolved."""

    def read(self, episode: int, key: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """See `Source`."""
        one = self.episodes[episode]
        try:
            return hdf5_arrays.read(self.group(episode)[key], one.arrays[key], start, stop)
        except FAULTS as error:
            raise UserError(f"{one.file}: {one.name}, {key}: it cannot be read: {said(error)}") from error

    def identity(self, episode: int, key: str) -> str:
        """See `Source`."""
        one = self.episodes[episode]
        try:
            with readable(one.file, one.name, key):
                return hdf5.identity(self.group(episode), key, self.folders)
        except UserError as error:
            raise UserError(str(Problem(str(error), str(one.file), one.name, key))) from error
