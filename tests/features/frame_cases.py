"""A small dataset in memory and encoders that count what they are asked for."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8

from s2robot.encoders import Features
from s2robot.encoders.cameras import CameraEncoders

SIDE = 32


class Frames:
    """A `FrameSource` in memory that counts the episodes it was asked to read."""

    def __init__(self, episodes: Mapping[str, np.ndarray], identity: str) -> None:
        self.by_episode, self.identity = dict(episodes), identity
        self.episodes, self.lengths = list(episodes), [len(frames) for frames in episodes.values()]
        self.reads = 0

    def image_size(self, camera: str) -> tuple[int, int]:
        h, w = self.by_episode[self.episodes[0]].shape[1:3]
        return h, w

    def read_frames(self, episode: str, camera: str) -> UInt8[np.ndarray, "t h w 3"]:
        self.reads += 1
        return self.by_episode[episode]


class CountingEncoders(CameraEncoders):
    frames_encoded = 0
    fails_after: int | None = None  # frames, then as if the process were killed

    def encode(self, camera: str, images: np.ndarray) -> Features:
        if self.fails_after is not None and self.frames_encoded >= self.fails_after:
            raise KeyboardInterrupt
        self.frames_encoded += len(images)
        return super().encode(camera, images)


def random_frames(length: int, seed: int) -> UInt8[np.ndarray, "t h w 3"]:
    return np.random.default_rng(seed).integers(0, 256, (length, SIDE, SIDE, 3), dtype=np.uint8)
