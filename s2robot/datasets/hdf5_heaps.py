"""Heaps of texts in HDF5 files that HDF5 would read without end.

Texts of variable length lie in global heap collections ("HDF5 File Format Specification", III.E). HDF5 1.14
walks through the objects of a collection by their sizes; one of free space with a size of 0 is read again
and again, and nothing in Python can stop that.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

SIGNATURE = b"GCOL\x01\0\0\0"  # and version 1
HEADER = struct.Struct("<8xQ")  # of a collection: its size
OBJECT = struct.Struct("<HHIQ")  # index (0: free space), references, reserved, size
LOOKED_AT = 2**24  # bytes of each end of a file; writers put texts there, a whole file may be a terabyte
MOST_OBJECTS = 2 * LOOKED_AT // OBJECT.size  # more are in collections that lie over each other


def endless_heap(path: Path) -> int | None:
    """The byte where HDF5 would never get on, None without one; of a big file both ends are looked at."""
    with path.open("rb") as file:
        if not (size := os.fstat(file.fileno()).st_size):
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            objects = 0
            for start in _collections(data, size):
                (length,) = HEADER.unpack_from(data, start)
                at, end = start + HEADER.size, min(start + length, size)
                while at + OBJECT.size <= end:
                    index, _, _, held = OBJECT.unpack_from(data, at)
                    objects += 1
                    if index == held == 0 or objects > MOST_OBJECTS:
                        return at
                    at += held if index == 0 else OBJECT.size + (held + 7) // 8 * 8
    return None


def _collections(data: mmap.mmap, size: int) -> Iterator[int]:
    for first, last in ((0, LOOKED_AT), (max(LOOKED_AT, size - LOOKED_AT), size)):
        found = data.find(SIGNATURE, first, last)
        while found >= 0:
            if found + HEADER.size <= size:
                yield found
            found = data.find(SIGNATURE, found + 1, last)
