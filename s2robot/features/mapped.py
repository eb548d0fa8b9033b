"""Rows of a file in memory-mapped form, whose resident memory stays bounded however many are read."""

import mmap
import os
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

# Touching a page maps its neighbours that are cached, too: 64 KB, or up to 2 MB where the kernel keeps large
# folios. It can take such memory back at any time, but it counts as the process's until then.
MOST_MAPPED = 768 * 1024**2  # bytes of files, libraries among them, that may be mapped before rows are let go
INTERVAL_S = 0.05  # between two looks at it: one takes 20 us
MEMORY_NOW = Path("/proc/self/statm")


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
        self._looked_at = time.monotonic()

    def release_if_much(self) -> None:
        """Hand back what is mapped of the file if much is resident; the kernel keeps it cached."""
        now = time.monotonic()
        if self._map is None or now - self._looked_at < INTERVAL_S:
            return
        self._looked_at = now
        if _resident_bytes_of_files() > MOST_MAPPED:
            self._map.madvise(mmap.MADV_DONTNEED)

    def read_ahead(self, rows: Iterable[int]) -> None:
        """Have the kernel read these rows from the disk, without waiting for it."""
        if not hasattr(os, "posix_fadvise"):
            return
        with self.file.open("rb") as file:
            for row in rows:
                start = row * self._row_bytes
                os.posix_fadvise(file.fileno(), start, self._row_bytes, os.POSIX_FADV_WILLNEED)


def _resident_bytes_of_files() -> int:
    """What this process has mapped of files that is in memory; 0 where the system does not tell."""
    if not hasattr(mmap, "MADV_DONTNEED") or not MEMORY_NOW.exists():
        return 0
    return int(MEMORY_NOW.read_text().split()[2]) * mmap.PAGESIZE
