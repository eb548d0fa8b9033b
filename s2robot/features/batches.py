"""The middle of a build: of the frames that are read, the new ones are encoded in batches and stored.

Three stages run at the same time: frames are read (by a thread, or by processes), encoded here, and written
by a thread. What waits between two stages is bounded.
"""

import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from s2robot.errors import UserError
from s2robot.features.camera_store import CameraStore
from s2robot.features.hashing import HASH
from s2robot.features.reading import Frames
from s2robot.features.staging import Staging
from s2robot.features.writer import Writer

BATCH_FRAMES = 64
COMMIT_INTERVAL_S = 5.0  # of work that a killed build may lose
WRITES_AHEAD = 2  # batches and commits that wait for the thread that writes


class _New(NamedTuple):
    """A view of a frame that is to be encoded."""

    key: bytes
    episode: int
    number: int  # of the frame in its episode


class Batches:
    """Batches of one size, across the ends of episodes. A context manager: at its end all is stored.

    On a GPU every other size of a batch costs seconds of planning: there the last one is filled up.
    After an error what was encoded before is stored.
    """

    def __init__(self, opened: CameraStore, writer: Writer) -> None:
        self._opened, self._writer = opened, writer
        backend = opened.encoders.base.backend
        self._fills = backend.plans_shapes
        self._staging = Staging(BATCH_FRAMES, opened.image_size, backend.device)
        self._waiting: list[_New] = []  # of the batch being filled
        self._sent = 0  # rows that were given to the writing thread
        self._hashes: dict[int, np.ndarray] = {}  # "t k" of each episode that is being read
        self._complete: list[tuple[int, int]] = []  # episodes that were read, and the rows that they need
        self._committed = time.monotonic()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._writes: deque[Future[None]] = deque()

    def __enter__(self) -> "Batches":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                if self._waiting:
                    self._encode()
                self._commit()
                self._wait_for_writes(0)
        finally:
            self._thread.shutdown()

    def add(self, frames: Frames) -> None:
        """Take the frames that are new into the batch, in each view; encode it whenever it is full."""
        episode, start, stop = frames.piece
        views, length = self._opened.views, self._opened.source.lengths[episode]
        keys = [key for frame in frames.hashes for key in views.keys(frame)]
        hashes = np.frombuffer(b"".join(keys), HASH)
        of_episode = self._hashes.setdefault(episode, np.empty((length, views.count), HASH))
        of_episode[start:stop] = hashes.reshape(-1, views.count)
        for i in np.flatnonzero(~self._writer.stored(hashes)).tolist():
            if self._writer.claim(keys[i]):
                number, view = divmod(i, views.count)
                pixels = views.draw(frames.pixels[number], frames.hashes[number], view)
                self._staging.pixels[len(self._waiting)] = pixels  # a copy: the piece is not kept
                self._waiting.append(_New(keys[i], episode, start + number))
                if len(self._waiting) == BATCH_FRAMES:
                    self._encode()
                    self._commit_now_and_then()
        if stop == length:
            self._complete.append((episode, self._sent + len(self._waiting)))
        self._commit_now_and_then()

    def _encode(self) -> None:
        new, self._waiting = self._waiting, []
        rows = self._opened.encode(self._staging.send(BATCH_FRAMES if self._fills else len(new)))[: len(new)]
        finite = rows.isfinite().all(1)
        self._write(self._store, new, rows, finite, self._staging.done())
        self._sent += len(new)

    def _commit_now_and_then(self) -> None:
        if time.monotonic() - self._committed > COMMIT_INTERVAL_S:
            self._commit()

    def _commit(self) -> None:
        """Have all that was encoded committed, and the episodes remembered whose rows it completes."""
        stored = [episode for episode, rows in self._complete if rows <= self._sent]
        self._complete = [(episode, rows) for episode, rows in self._complete if rows > self._sent]
        self._write(self._save, {self._opened.key_of(e): self._hashes.pop(e) for e in stored})
        self._committed = time.monotonic()
        if self._writer.is_full:
            self._wait_for_writes(0)
            self._writer.forget_committed()

    def _write(self, what: Any, *values: Any) -> None:
        """Let the writing thread do something when it is done with the rest; raises what went wrong there."""
        self._writes.append(self._thread.submit(what, *values))
        self._wait_for_writes(WRITES_AHEAD)

    def _wait_for_writes(self, most: int) -> None:
        while len(self._writes) > most or (self._writes and self._writes[0].done()):
            self._writes.popleft().result()

    def _store(
        self, new: list[_New], rows: Float[Tensor, "n d"], finite: Bool[Tensor, "n"], done: Any
    ) -> None:
        rows = self._staging.fetch(rows, done)
        if not finite.all():
            _, episode, number = new[int(finite.int().argmin())]
            source, camera = self._opened.source, self._opened.camera
            raise UserError(
                f"{source.path}: features of {camera}, {source.episodes[episode]}, frame {number} are not "
                f"finite in {rows.dtype}"
            )
        self._writer.append(np.frombuffer(b"".join(one.key for one in new), HASH), rows.numpy())

    def _save(self, episodes: Mapping[bytes, np.ndarray]) -> None:
        self._writer.commit()
        self._writer.remember(episodes)
