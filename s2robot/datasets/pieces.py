"""Reading long episodes in pieces, so that memory does not depend on their length."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from s2robot.datasets.dataset import Dataset

PIECE_BYTES = 16 << 20


def pieces(rows: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    """Bounds (start, stop) of successive pieces of an array."""
    step = max(1, PIECE_BYTES // max(1, row_bytes))
    return ((start, min(start + step, rows)) for start in range(0, rows, step))


def frames_in_pieces(dataset: Dataset, episode: str, camera: str) -> Iterator[UInt8[np.ndarray, "t h w 3"]]:
    """All frames of an episode, the top row first, a piece at a time."""
    height, width = dataset.image_size(camera)
    length = dataset.lengths[dataset.episodes.index(episode)]
    for start, stop in pieces(length, height * width * 3):
        yield dataset.read_frames(episode, camera, start, stop)
