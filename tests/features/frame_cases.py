"""A small dataset in memory, and encoders that count the frames that they encode."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from s2robot.encoders.cameras import CameraEncoders
from s2robot.features import FeaturesConfig
from s2robot.features.segment import RECORD
from s2robot.types import Features

SIDE = 32


class Frames:
    """A `FrameSource` in memory that notes what is read of it; each episode's identity starts with `name`."""

    def __init__(self, episodes: Mapping[str, np.ndarray], name: str) -> None:
        self.by_episode, self.path = dict(episodes), Path(name)
        self.episodes, self.lengths = list(episodes), [len(frames) for frames in episodes.values()]
        self.read: list[tuple[str, int, int]] = []  # episode, first frame, end

    def image_size(self, camera: str) -> tuple[int, int]:
        h, w = self.by_episode[self.episodes[0]].shape[1:3]
        return h, w

    def episode_identity(self, episode: str, camera: str) -> str:
        return f"{self.path} {episode} {camera}"

    def read_frames(
        self, episode: str, camera: str, start: int = 0, stop: int | None = None
    ) -> UInt8[np.ndarray, "t h w 3"]:
        frames = self.by_episode[episode][start:stop]
        self.read.append((episode, start, start + len(frames)))
        return frames

    @property
    def frames_read(self) -> int:
        return sum(stop - start for _, start, stop in self.read)


class CountingEncoders(CameraEncoders):
    frames_encoded = 0
    fails_after: int | None = None  # frames
    failure: BaseException = KeyboardInterrupt()  # as if the process were killed

    def encode(self, camera: str, images: np.ndarray | torch.Tensor) -> Features:
        if self.fails_after is not None and self.frames_encoded >= self.fails_after:
            raise self.failure
        self.frames_encoded += len(images)
        return super().encode(camera, images)


def stored_in(root: Path, views: int = 1, **options: Any) -> FeaturesConfig:
    """Options of a store in a test's folder."""
    return FeaturesConfig(root=str(root), views=views, **options)


def records_in(folder: Path) -> np.ndarray:
    """The records of all segments of a store."""
    return np.concatenate(
        [np.fromfile(file, RECORD) for file in sorted(folder.glob("segments/*/records.bin"))]
    )


def row_bytes_in(folder: Path) -> int:
    """Bytes of the rows of all segments of a store."""
    return sum(file.stat().st_size for file in folder.glob("segments/*/rows.bin"))


def random_frames(length: int, seed: int) -> UInt8[np.ndarray, "t h w 3"]:
    return np.random.default_rng(seed).integers(0, 256, (length, SIDE, SIDE, 3), dtype=np.uint8)
