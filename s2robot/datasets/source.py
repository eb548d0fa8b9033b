"""What a dataset format must tell and read: the contract of every reader below `datasets/`.

A source knows its files and nothing of cameras, proprioception, splits or policies: `Dataset` makes those
from it with the key mapping. Opening a source reads metadata and no pixels. A new format is one file that
has a `Source` and a line in `FORMATS`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from s2robot.datasets.options import DataConfig
from s2robot.datasets.problem import Problem

Kind = Literal["frames", "numbers", "other"]
STREAM = "stream"  # type of rows that are image files


@dataclass(frozen=True)
class Recorded:
    """One array of an episode, as its file declares it.

    `kind` "frames": colour images that `read` returns as uint8 (t, h, w, 3), whatever they are stored as;
    "numbers": anything numeric with time as its first axis; "other": depth, segmentation, text, broken.
    """

    kind: Kind
    rows: int  # along time; for video the number of frames that belong to the episode
    shape: tuple[int, ...]  # of one row; (h, w, 3) of frames
    dtype: str  # NumPy's name, or what the file calls it
    note: str = ""  # what is unusual: "jpeg", "h264", or why it is "other" and how to mend that
    names: tuple[str, ...] = ()  # of the numbers of one row, where the format has them
    broken: bool = False  # whether these are frames that cannot be read, as `note` says
    part_of: str = ""  # key of the array whose numbers these are, too: named columns of it

    def describe(self) -> str:
        """Type and shape, for messages."""
        if not self.dtype:  # a link to nowhere, or nothing that may be read
            return "no array"
        return f"{self.dtype} of shape {(self.rows, *self.shape)}"

    @property
    def image_like(self) -> bool:
        """Whether it looks like images: frames, depth, or what cannot be read and may be frames."""
        return self.kind == "frames" or (
            self.kind == "other" and (len(self.shape) >= 2 or self.dtype in (STREAM, ""))
        )


@dataclass(frozen=True)
class SourceEpisode:
    """One recorded episode."""

    name: str  # unique in the source
    file: Path  # that holds it (of several, the one with its actions)
    arrays: Mapping[str, Recorded]  # by the format's own key, e.g. "obs/agentview_image"
    seed: int | None = None  # reset seed in the simulator
    tasks: tuple[str, ...] = ()  # texts, where the format has them
    info: Mapping[str, Any] = field(default_factory=dict)  # what else a conversion carries along


@runtime_checkable
class Source(Protocol):
    """An opened dataset of one format. A class that inherits from it says only what its format knows."""

    format: str  # its name in `FORMATS`
    path: Path
    episodes: Sequence[SourceEpisode]
    version: str = ""  # of the format, "" where there is none
    fps: float | None = None
    env_args: Mapping[str, Any] | None = None  # robomimic's, None where the file does not say
    env_problem: str = ""  # why env_args is None although the file has something there; "" otherwise
    masks: Mapping[str, Sequence[str]] = MappingProxyType({})  # filter key -> names of episodes
    observations: str = ""  # prefix of the keys that are observations: "obs/", "observation."; "": most
    actions: str | None = None  # the usual key of the actions; None: the user must say
    executed_actions: str | None = None  # key of what was executed, where that is not to be imitated
    upright: bool | None = None  # whether frames are stored with the top row first; None: not known
    info: Mapping[str, Any] = MappingProxyType({})  # more of its origin, by which presets know a family
    warnings: Sequence[Problem] = ()  # what is unusual in the files, or wrong in what they say of themselves
    errors: Sequence[Problem] = ()  # what of it cannot be used: episodes left out, each with its fault

    def read(self, episode: int, key: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows start to stop of an array: numbers as stored, frames decoded in the stored orientation.

        Raises `UserError` naming file, episode and key for what cannot be read.
        """

    def identity(self, episode: int, key: str) -> str:
        """Changes whenever the content of this array may have changed, links resolved; cheap to compute."""

    def close(self) -> None:
        """Let go of open files; it is not read any more."""


@runtime_checkable
class HasVideos(Protocol):
    """A source whose frames are in files that only decoding them can tell to be complete."""

    def ends(self) -> Iterator[tuple[int, str]]:
        """Episode and camera's key of the last frames of each video."""


@runtime_checkable
class Format(Protocol):
    """How datasets of a format are found and opened: a member of `FORMATS`, usually a source's class."""

    def found(self, path: Path) -> Sequence[Path]:
        """The datasets of this format at a file or in a folder, in natural order; none if there are none.

        Cheap, and raises nothing for what is of another format.
        """

    def __call__(self, path: Path, options: DataConfig) -> Source:
        """Open one of them. Raises `UserError` in one line."""
