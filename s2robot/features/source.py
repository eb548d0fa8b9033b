"""What features need of a dataset: the frames of its cameras, episode by episode."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8


@runtime_checkable
class FrameSource(Protocol):
    """A dataset as the feature store reads it, whatever its format.

    Frames are numbered through all episodes of the dataset, in its order.
    """

    @property
    def path(self) -> Path:
        """The file or folder, for messages."""

    @property
    def episodes(self) -> Sequence[str]:
        """Names of all episodes."""

    @property
    def lengths(self) -> Sequence[int]:
        """Frames in each episode."""

    def image_size(self, camera: str) -> tuple[int, int]:
        """Height and width of a camera's frames, in pixels."""

    def episode_identity(self, episode: str, camera: str) -> str:
        """Differs whenever the camera's frames in this episode may differ; cheap, reads no frame.

        A store that knows the rows of an identity does not read the episode's frames again.
        """

    def read_frames(
        self, episode: str, camera: str, start: int = 0, stop: int | None = None
    ) -> UInt8[np.ndarray, "t h w 3"]:
        """Frames `start` to `stop` of an episode (to its end for None), decoded, top row first.

        The store reads the pieces of an episode in order, from one thread at a time. Raises `UserError` that
        names file, episode and camera for frames that cannot be read.
        """
