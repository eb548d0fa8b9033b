"""Bound the memory of mapped files: what was read can be given back, the kernel keeps it in its cache.

Reading a page also maps its neighbours that are cached: 64 KB, or up to 2 MB where the kernel keeps large
folios. The kernel can take such memory back at any time, but until then it counts as the process's.
"""

import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

MOST_MAPPED = 768 * 1024**2  # bytes of mapped files, libraries included, above which they are released
MEMORY_NOW = Path("/proc/self/statm")


def release_if_much(maps: Iterable[mmap.mmap]) -> None:
    """Unmap the pages of these files if many are resident."""
    if _resident_bytes_of_files() > MOST_MAPPED:
        for one in maps:
            one.madvise(mmap.MADV_DONTNEED)


def maps_of(arrays: Iterable[np.ndarray]) -> Iterator[mmap.mmap]:
    """The mapped files behind arrays; those that lie in memory have none."""
    for array in arrays:
        below: object = array
        while isinstance(below, np.ndarray):
            below = below.base
        if isinstance(below, mmap.mmap):
            yield below


def _resident_bytes_of_files() -> int:
    """Bytes of mapped files of this process that are in memory; 0 where the system does not say it."""
    if not hasattr(mmap, "MADV_DONTNEED") or not MEMORY_NOW.exists():
        return 0
    return int(MEMORY_NOW.read_text().split()[2]) * mmap.PAGESIZE
