"""Append to a store: rows of frames, and the episodes that they make."""

import io
import os
import secrets
from collections.abc import Mapping
from types import TracebackType

import numpy as np
from jaxtyping import Bool

from s2robot.features.damage import saving, write_all
from s2robot.features.hashing import HASH, checksums, sealed
from s2robot.features.index import sort, write_index
from s2robot.features.manifest import ENTRY, entries_of
from s2robot.features.segment import RECORD
from s2robot.features.store import FeatureStore

MOST_CLAIMED = 10**6  # hashes of this writer's frames that are kept in memory
LATE_ROWS = 2**17  # of another segment without an index, above which this writer makes it


class Writer:
    """The writer of a segment of its own, which is made when there is something to write.

    Rows count once they are committed. A context manager: at its end the segment's index is written.
    """

    def __init__(self, store: FeatureStore) -> None:
        self.store = store
        self.folder = store.segments_folder / secrets.token_hex(8)
        self._stored = store.snapshot()
        self._claimed: set[bytes] = set()
        self._files: dict[str, io.FileIO] = {}
        self._pending: list[np.ndarray] = []  # records of rows that are not committed
        self._appended = self._committed = 0

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()
        if kind is None:
            self._write_indexes()

    def __len__(self) -> int:
        """Rows that this writer appended, committed or not."""
        return self._appended

    def stored(self, hashes: np.ndarray) -> Bool[np.ndarray, "n"]:
        """Which of these frames have a row already; of this writer's own, `claim` tells it."""
        return self._stored.find(hashes) >= 0

    def claim(self, frame: bytes) -> bool:
        """Whether this writer is to append this frame: true once for each."""
        if frame in self._claimed:
            return False
        self._claimed.add(frame)
        return True

    def append(self, frames: np.ndarray, rows: np.ndarray) -> None:
        """Add a row "n d", in the store's dtype, for each frame (given by its hash)."""
        records = np.empty(len(frames), RECORD)
        records["frame"] = frames
        records["checksum"] = checksums(rows, np.arange(len(rows)))
        with saving(self.store.folder):
            write_all(self._file("rows"), rows.data)
        self._pending.append(sealed(records, self._appended))
        self._appended += len(records)

    def commit(self) -> None:
        """Write all rows so far to the disk: they survive a kill and a crash of the machine."""
        if not self._pending:
            return
        records = np.concatenate(self._pending)
        with saving(self.store.folder):
            os.fsync(self._file("rows").fileno())
            self._write("records", records)
        self._pending, self._committed = [], self._committed + len(records)

    @property
    def is_full(self) -> bool:
        """Whether `forget_committed` would free much memory."""
        return len(self._claimed) > MOST_CLAIMED

    def forget_committed(self) -> None:
        """Look for this writer's committed frames on the disk from now on, as for all others."""
        self._write_indexes()
        self._stored = self.store.snapshot()
        claimed = list(self._claimed)
        there = self.stored(np.frombuffer(b"".join(claimed), HASH))
        self._claimed = {frame for frame, stored in zip(claimed, there, strict=True) if not stored}

    def remember(self, episodes: Mapping[bytes, np.ndarray]) -> None:
        """Save the hashes of the frames of episodes, by their key; all must be committed or stored before."""
        if not episodes:
            return
        frames = np.concatenate([hashes.ravel() for hashes in episodes.values()])
        with saving(self.store.folder):
            start = self._file("frames").tell() // HASH.itemsize
            entries = self._file("episodes").tell() // ENTRY.itemsize
            self._write("frames", frames)
            self._write("episodes", entries_of(episodes, start, entries))

    def _write(self, name: str, data: np.ndarray) -> None:
        file = self._file(name)
        write_all(file, data.view(np.uint8).data)
        os.fsync(file.fileno())

    def _file(self, name: str) -> io.FileIO:
        """A file of the segment; unbuffered, so that nothing is left to be written when it is closed."""
        if not self._files:
            self.store.make()
            self.folder.mkdir(parents=True)
        if name not in self._files:
            self._files[name] = open(self.folder / f"{name}.bin", "xb", buffering=0)  # noqa: SIM115
        return self._files[name]

    def _write_indexes(self) -> None:
        """The index of this segment, and of large ones that were left without by writers that were killed."""
        for segment in self.store.segments():
            parts = segment.index()
            late = len(parts[-1].rows) if len(parts) > 1 else 0
            if late and (segment.folder == self.folder or late > LATE_ROWS):
                hashes = segment.read(np.arange(len(segment)))["frame"]
                with saving(self.store.folder):
                    write_index(segment.folder / "index.bin", sort(hashes))
