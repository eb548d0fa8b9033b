"""Rows of a file, mapped into memory; their resident memory is bounded however many are read."""

import mmap
import os
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

# Reading a page also maps its neighbours that are cached: 64 KB, or up to 2 MB where the kernel keeps large
# folios. The kernel can take such memory back at any time, but until then it counts as the process's.
MOST_MAPPED = 768 * 1024**2  # bytes of mapped files, libraries included, above which rows are released
INTERVAL_S = 0.05  # between two checks of it; a check takes 20 us
MEMORY_NOW = Path("/proc/self/statm")


class MappedRows:
    """The first `count` rows of a file, "n d", read from the disk when used; never write to `data`."""

    data: Float[Tensor, "n d"]

    def __init__(self, file: Path, count: int, numbers: int, dtype: torch.dtype) -> None:
        """`numbers` of `dtype` a row."""
        self.file, self._row_bytes = file, numbers * dtype.itemsize
        self._map: mmap.mmap | None = None  # an empty file cannot be mapped
        self.data = torch.empty(0, numbers, dtype=dtype)
        if count:
            with file.open("rb") as opened:
                # copy on write, since PyTorch warns about read-only memory
                self._map = mmap.mmap(opened.fileno(), count * self._row_bytes, access=mmap.ACCESS_COPY)
            self.data = torch.frombuffer(self._map, dtype=dtype).view(count, numbers)
        self._checked = time.monotonic()

    def release_if_much(self) -> None:
        """Unmap the file's pages if much is resident; the kernel keeps them in its cache."""
        now = time.monotonic()
        if self._map is None or now - self._checked < INTERVAL_S:
            return
        self._checked = now
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
    """Bytes of mapped files of this process that are in memory; 0 where the system does not say it."""
    if not hasattr(mmap, "MADV_DONTNEED") or not MEMORY_NOW.exists():
        return 0
    return int(MEMORY_NOW.read_text().split()[2]) * mmap.PAGESIZE
