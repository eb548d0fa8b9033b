"""Rows of a file in memory-mapped form, whose resident memory stays bounded however many are read."""

import mmap
import os
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

# Touching a page maps its neighbours that are cached, too (Linux's fault_around_bytes). Such memory can be
# taken back by the kernel at any time, but it counts as the process's until then.
MAPPED_AROUND = 64 * 1024
MOST_MAPPED = 512 * 1024**2  # bytes that may have been mapped before they are handed back,
INTERVAL_S = 1.0  # not more often than this: mapping them again takes some 50 ms


class MappedRows:
    """The first `count` rows of a file, "n d", read when touched; `data` must not be written to."""

    data: Float[Tensor, "n d"]

    def __init__(self, file: Path, count: int, numbers: int, dtype: torch.dtype) -> None:
        """`numbers` of `dtype` a row."""
        self.file, self._row_bytes = file, numbers * dtype.itemsize
        self._map: mmap.mmap | None = None  # an empty file cannot be mapped
        self.data = torch.empty(0, numbers, dtype=dtype)
        if count:
            with file.open("rb") as opened:
                # a private copy, if anyone wrote to it; PyTorch does not like memory that is read-only
                self._map = mmap.mmap(opened.fileno(), count * self._row_bytes, access=mmap.ACCESS_COPY)
            self.data = torch.frombuffer(self._map, dtype=dtype).view(count, numbers)
        self._mapped, self._released_at = 0, time.monotonic()

    def touched(self, rows: int) -> None:
        """So many rows were read: hand back what is mapped if that may be a lot; it stays cached."""
        self._mapped += rows * max(self._row_bytes, MAPPED_AROUND)
        if self._map is None or self._mapped < MOST_MAPPED or not hasattr(mmap, "MADV_DONTNEED"):
            return
        now = time.monotonic()
        if now - self._released_at >= INTERVAL_S:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._mapped, self._released_at = 0, now

    def read_ahead(self, rows: Iterable[int]) -> None:
        """Have the kernel read these rows from the disk, without waiting for it."""
        if not hasattr(os, "posix_fadvise"):
            return
        with self.file.open("rb") as file:
            for row in rows:
                start = row * self._row_bytes
                os.posix_fadvise(file.fileno(), start, self._row_bytes, os.POSIX_FADV_WILLNEED)
