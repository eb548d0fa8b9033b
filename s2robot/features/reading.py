"""Read the frames of episodes piece by piece, ahead of the encoder, with bounded memory."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from s2robot.errors import UserError
from s2robot.features.hashing import frame_hash
from s2robot.features.source import FrameSource

PIECE_BYTES = 32 * 2**20  # of pixels that are read at once; one frame at least
AHEAD_BYTES = 96 * 2**20  # of pixels that wait for the encoder, the piece that is being read included

Piece = tuple[int, int, int]  # episode, first frame, end


class Frames(NamedTuple):
    """Some frames of an episode, one after the other."""

    episode: int  # its index in the dataset
    start: int  # number of the first one in the episode
    pixels: UInt8[np.ndarray, "n h w 3"]
    hashes: list[bytes]


def frames_ahead(source: FrameSource, camera: str, episodes: Sequence[int]) -> Iterator[Frames]:
    """All frames of these episodes in order; a thread reads and hashes the next ones meanwhile.

    Raises `UserError` that names file, episode and camera for frames that are not uint8 (h, w, 3) of the
    camera's size, and for episodes whose brightest value is 1.
    """
    reader = _Reader(source, camera)
    limit = max(1, AHEAD_BYTES // reader.frame_bytes)
    waiting: deque[tuple[int, Future[Frames]]] = deque()
    ahead = 0  # frames
    thread = ThreadPoolExecutor(1, thread_name_prefix="read")
    try:
        for piece in reader.pieces(episodes):
            length = piece[2] - piece[1]
            while waiting and ahead + length > limit:
                read, frames = waiting.popleft()
                yield frames.result()
                ahead -= read
            waiting.append((length, thread.submit(reader.read, *piece)))
            ahead += length
        while waiting:
            yield waiting.popleft()[1].result()
    finally:
        thread.shutdown(cancel_futures=True)


class _Reader:
    """Reads, checks and hashes pieces, which must come in order."""

    def __init__(self, source: FrameSource, camera: str) -> None:
        self.source, self.camera = source, camera
        self.shape = (*source.image_size(camera), 3)
        self.frame_bytes = int(np.prod(self.shape))
        self._brightest = 0  # value in the episode so far

    def pieces(self, episodes: Sequence[int]) -> Iterator[Piece]:
        frames = max(1, PIECE_BYTES // self.frame_bytes)
        for episode in episodes:
            length = self.source.lengths[episode]
            for start in range(0, length, frames):
                yield episode, start, min(start + frames, length)

    def read(self, episode: int, start: int, stop: int) -> Frames:
        name = self.source.episodes[episode]
        pixels = self.source.read_frames(name, self.camera, start, stop)
        if pixels.dtype != np.uint8 or pixels.shape != (stop - start, *self.shape):
            raise UserError(
                f"{self.source.path}: frames {start} to {stop - 1} of {self.camera} in {name} were read as "
                f"{pixels.dtype} of shape {pixels.shape}, expected uint8 of shape "
                f"{(stop - start, *self.shape)}: store 0 to 255, all frames of a camera in one size"
            )
        self._brightest = max(int(pixels.max()), self._brightest if start else 0)
        if stop == self.source.lengths[episode] and self._brightest == 1:
            raise UserError(
                f"{self.source.path}: {self.camera} in {name} holds only 0 and 1, expected 0 to 255: were "
                f"floats in [0, 1] stored as uint8? Multiply them by 255 first"
            )
        return Frames(episode, start, pixels, [frame_hash(one) for one in pixels])
