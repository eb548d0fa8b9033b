"""Rows of a store's segments, mapped into memory, and checked when they are read for the first time.

Their resident memory is bounded however many are read.
"""

import mmap
import os
import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Int, Shaped

from s2robot.features.damage import damaged
from s2robot.features.hashing import checksums
from s2robot.features.resident import release_if_much
from s2robot.features.segment import Segment

INTERVAL_S = 0.05  # between two checks of the memory that is resident; a check takes 20 us


class MappedRows:
    """The rows of several segments, one after the other; they are read from the disk when they are used."""

    def __init__(self, segments: Sequence[Segment], numbers: int, dtype: torch.dtype) -> None:
        """`numbers` of `dtype` a row."""
        self.segments, self.dtype, self.numbers = segments, dtype, numbers
        self.starts = np.cumsum([0, *map(len, segments)])  # first row of each segment, and their number
        self._row_bytes = numbers * dtype.itemsize
        self._maps = [self._mapped(segment) for segment in segments]
        plain = torch.empty(0, dtype=dtype).numpy().dtype
        self._data = [np.frombuffer(one, plain).reshape(-1, numbers) for one in self._maps]
        self.checked = np.zeros(len(self), bool)  # rows whose checksums were compared
        self._left = len(self)  # rows that were not
        self._lock = threading.Lock()  # several threads may gather batches
        self._looked = time.monotonic()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def take(self, rows: Int[np.ndarray, "n"], out: Shaped[np.ndarray, "n d"]) -> None:
        """Copy rows into `out`. Raises UserError for one whose checksum does not hold."""
        # NumPy copies row by row in this thread; PyTorch's threads would compete with the training
        if len(self.segments) == 1:
            np.take(self._data[0], rows, axis=0, out=out, mode="clip")  # "raise" would copy twice
        else:
            for number, where, own in self._by_segment(rows):
                out[where] = self._data[number][own]
        if self._left:
            self._check(rows, out)
        self._release_if_much()

    def damaged_rows(self, rows: Int[np.ndarray, "n"]) -> list[int]:
        """The rows among these whose bytes are not those that were stored."""
        found: list[int] = []
        for number, where, own in self._by_segment(rows):
            expected = self.segments[number].read(own)["checksum"].tolist()
            have = checksums(self._data[number], own)
            wrong = [one != right for one, right in zip(have, expected, strict=True)]
            found += rows[where][np.array(wrong, bool)].tolist()
            self._release_if_much()
        return sorted(found)

    def read_ahead(self, rows: Int[np.ndarray, "n"]) -> None:
        """Have the kernel read these rows from the disk, without waiting for it."""
        if not hasattr(os, "posix_fadvise"):
            return
        for number, _, own in self._by_segment(rows):
            with self.segments[number].rows_file.open("rb") as file:
                for start in (own * self._row_bytes).tolist():
                    os.posix_fadvise(file.fileno(), start, self._row_bytes, os.POSIX_FADV_WILLNEED)

    def _by_segment(
        self, rows: Int[np.ndarray, "n"]
    ) -> Iterator[tuple[int, Int[np.ndarray, "m"], Int[np.ndarray, "m"]]]:
        """For each segment that has some of them: its number, where they stand in `rows`, its own rows."""
        of = np.searchsorted(self.starts, rows, side="right") - 1
        for number in np.unique(of).tolist():
            where = np.flatnonzero(of == number)
            yield number, where, rows[where] - self.starts[number]

    def _check(self, rows: Int[np.ndarray, "n"], copies: np.ndarray) -> None:
        """Compare the checksums of those copies whose rows were never read before."""
        new = np.flatnonzero(~self.checked[rows])
        for number, where, own in self._by_segment(rows[new]):
            segment = self.segments[number]
            expected = segment.read(own)["checksum"].tolist()
            have = checksums(copies, new[where])
            if have != expected:
                wrong = next(i for i, right in enumerate(expected) if have[i] != right)
                what = f"row {own[wrong]} is not what was stored (its checksum does not hold)"
                raise damaged(segment.rows_file, what, str(segment.folder))
        with self._lock:
            first = np.unique(rows[new])
            first = first[~self.checked[first]]  # another thread may have read some of them meanwhile
            self.checked[first] = True
            self._left -= len(first)

    def _release_if_much(self) -> None:
        """Unmap the files' pages if many are resident; the kernel keeps them in its cache."""
        now = time.monotonic()
        if now - self._looked < INTERVAL_S:
            return
        self._looked = now
        release_if_much(one for one in self._maps if isinstance(one, mmap.mmap))

    def _mapped(self, segment: Segment) -> mmap.mmap | bytes:
        if not len(segment):
            return b""  # an empty file cannot be mapped
        with segment.rows_file.open("rb") as opened:
            return mmap.mmap(opened.fileno(), len(segment) * self._row_bytes, access=mmap.ACCESS_READ)
