"""Demonstration datasets of any format, opened for reading, and training windows over them.

    dataset = open_dataset("demos.hdf5", cameras=["agentview"])
    frames = dataset.read_frames(dataset.episodes[0], "agentview", 0, 16)

A new format is one file with a `Source` and one line in `FORMATS`.
"""

from s2robot.datasets.formats import FORMATS
from s2robot.datasets.opening import open_dataset

__all__ = ["FORMATS", "open_dataset"]
