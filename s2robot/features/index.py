"""The sorted index of a segment: from the hash of a frame to its row, without reading all hashes.

    index.bin   a header, the first 8 bytes of the hash of each row in order, and the rows in that order

It is made from the records when a writer closes. What was recorded later, or by a writer that was killed,
is sorted when the segment is opened. Whole hashes are compared in the records: the index decides nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash
from jaxtyping import Int, UInt64

from s2robot.features.damage import damaged, file_size
from s2robot.features.hashing import HASH
from s2robot.files import replacing

HEADER = np.dtype([("count", "<u8"), ("checksum", "<u8")])
ENTRY_BYTES = 8 + 4  # prefix and row
PIECE_BYTES = 2**22  # of what is read at once to compare the checksum
MERGED_ROWS = 2**20  # parts below this size are sorted into one


@dataclass(frozen=True)
class Part:
    """Sorted prefixes of hashes, and the row of each, `offset` to be added."""

    prefixes: UInt64[np.ndarray, "n"]
    rows: np.ndarray
    offset: int = 0


def prefixes_of(hashes: np.ndarray) -> UInt64[np.ndarray, "n"]:
    """The first 8 bytes of each hash as a number."""
    return np.ascontiguousarray(hashes, HASH).view("<u8")[::2]


def sort(hashes: np.ndarray, first: int = 0) -> Part:
    """The part of the index for these hashes, whose rows begin with `first`."""
    prefixes = prefixes_of(hashes)
    order = np.argsort(prefixes, kind="stable")
    return Part(prefixes[order], (order + first).astype("<u4"))


def write_index(file: Path, part: Part) -> None:
    """Save a sorted part, complete or not at all. Raises OSError."""
    data = [np.ascontiguousarray(part.prefixes, "<u8"), np.ascontiguousarray(part.rows, "<u4")]
    hashed = xxhash.xxh3_64()
    for array in data:
        hashed.update(array.data)
    with replacing(file) as scratch, scratch.open("wb") as opened:
        opened.write(np.array([(len(part.rows), hashed.intdigest())], HEADER).tobytes())
        for array in data:
            array.tofile(opened)


def read_index(file: Path) -> Part:
    """The part that was saved, mapped from the disk; UserError if its checksum does not hold."""
    size = file_size(file) - HEADER.itemsize
    if size <= 0:
        if file.exists():
            raise damaged(file, "its header is cut off")
        return Part(np.empty(0, "<u8"), np.empty(0, "<u4"))
    with file.open("rb") as opened:
        count, expected = np.frombuffer(opened.read(HEADER.itemsize), HEADER)[0].tolist()
        hashed = xxhash.xxh3_64()
        while piece := opened.read(min(PIECE_BYTES, size)):  # read, not mapped: it would all be resident
            hashed.update(piece)
    if size != count * ENTRY_BYTES or hashed.intdigest() != expected:
        raise damaged(file, f"its checksum does not hold ({count} rows, {size} bytes)")
    at = HEADER.itemsize
    prefixes = np.memmap(file, "<u8", "r", at, (count,))
    return Part(prefixes, np.memmap(file, "<u4", "r", at + 8 * count, (count,)))


def merge(parts: Sequence[Part]) -> list[Part]:
    """Large parts as they are, on the disk, and the small ones sorted into one in memory."""
    small = [part for part in parts if 0 < len(part.rows) < MERGED_ROWS]
    large = [part for part in parts if len(part.rows) >= MERGED_ROWS]
    if not small:
        return large
    prefixes = np.concatenate([part.prefixes for part in small])
    rows = np.concatenate([part.rows.astype(np.int64) + part.offset for part in small])
    order = np.argsort(prefixes, kind="stable")
    return [*large, Part(prefixes[order], rows[order])]


def find(
    parts: Sequence[Part], hashes: np.ndarray, hash_of: Callable[[Int[np.ndarray, "m"]], np.ndarray]
) -> Int[np.ndarray, "n"]:
    """The row of each hash, -1 where there is none; `hash_of` are the whole hashes of rows."""
    hashes = np.ascontiguousarray(hashes, HASH).ravel()
    prefixes = prefixes_of(hashes)
    found = np.full(len(hashes), -1, np.int64)
    for part in parts:
        left = np.flatnonzero(found < 0)
        at = np.searchsorted(part.prefixes, prefixes[left])
        while len(left):  # more than once for hashes that begin alike
            inside = at < len(part.prefixes)
            left, at = left[inside], at[inside]
            same = part.prefixes[at] == prefixes[left]
            left, at = left[same], at[same]
            rows = part.rows[at].astype(np.int64) + part.offset
            hit = hash_of(rows) == hashes[left]
            found[left[hit]] = rows[hit]
            left, at = left[~hit], at[~hit] + 1
    return found
