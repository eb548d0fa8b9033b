"""Read the frames of episodes piece by piece, ahead of the encoder, with bounded memory."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from s2robot.errors import UserError
from s2robot.features.hashing import frame_hash
from s2robot.features.source import FrameSource

PIECE_BYTES = 32 * 2**20  # of pixels that are read at once; one frame at least
AHEAD_BYTES = 96 * 2**20  # of pixels that wait for the encoder, the piece that is being read included


class Piece(NamedTuple):
    """Frames `start` to `stop` of an episode (its index in the dataset)."""

    episode: int
    start: int
    stop: int


class Frames(NamedTuple):
    """The frames of a piece."""

    piece: Piece
    pixels: UInt8[np.ndarray, "n h w 3"]
    hashes: list[bytes]
    brightest: int  # of all their values


def pieces_of(source: FrameSource, camera: str, episodes: Sequence[int], size: int) -> Iterator[Piece]:
    """The episodes in pieces of at most `size` bytes of pixels, in order."""
    frames = max(1, size // frame_bytes(source, camera))
    for episode in episodes:
        length = source.lengths[episode]
        for start in range(0, length, frames):
            yield Piece(episode, start, min(start + frames, length))


def frame_bytes(source: FrameSource, camera: str) -> int:
    """Bytes of a camera's frame."""
    h, w = source.image_size(camera)
    return h * w * 3


def read(source: FrameSource, camera: str, piece: Piece) -> Frames:
    """Read and hash a piece. Raises `UserError` for frames that are not uint8 of the camera's size."""
    name, (_, start, stop) = source.episodes[piece.episode], piece
    shape = (*source.image_size(camera), 3)
    pixels = source.read_frames(name, camera, start, stop)
    if pixels.dtype != np.uint8 or pixels.shape != (stop - start, *shape):
        raise UserError(
            f"{source.path}: frames {start} to {stop - 1} of {camera} in {name} were read as "
            f"{pixels.dtype} of shape {pixels.shape}, expected uint8 of shape {(stop - start, *shape)}: "
            f"store 0 to 255, all frames of a camera in one size"
        )
    return Frames(piece, pixels, [frame_hash(one) for one in pixels], int(pixels.max()))


def frames_ahead(source: FrameSource, camera: str, episodes: Sequence[int]) -> Iterator[Frames]:
    """All frames of these episodes in order; a thread reads and hashes the next ones meanwhile.

    Raises `UserError` as `read` and `checked` do.
    """
    return checked(source, camera, _read_by_thread(source, camera, episodes))


def checked(source: FrameSource, camera: str, pieces: Iterable[Frames]) -> Iterator[Frames]:
    """The pieces, which come in order. Raises `UserError` for an episode whose brightest value is 1."""
    brightest = 0
    for frames in pieces:
        episode, start, stop = frames.piece
        brightest = max(frames.brightest, brightest if start else 0)
        if stop == source.lengths[episode] and brightest == 1:
            raise UserError(
                f"{source.path}: {camera} in {source.episodes[episode]} holds only 0 and 1, expected 0 to "
                f"255: were floats in [0, 1] stored as uint8? Multiply them by 255 first"
            )
        yield frames


def _read_by_thread(source: FrameSource, camera: str, episodes: Sequence[int]) -> Iterator[Frames]:
    limit = max(1, AHEAD_BYTES // frame_bytes(source, camera))
    waiting: deque[tuple[int, Future[Frames]]] = deque()
    ahead = 0  # frames
    thread = ThreadPoolExecutor(1, thread_name_prefix="read")
    try:
        for piece in pieces_of(source, camera, episodes, PIECE_BYTES):
            length = piece.stop - piece.start
            while waiting and ahead + length > limit:
                count, frames = waiting.popleft()
                yield frames.result()
                ahead -= count
            waiting.append((length, thread.submit(read, source, camera, piece)))
            ahead += length
        while waiting:
            yield waiting.popleft()[1].result()
    finally:
        thread.shutdown(cancel_futures=True)
