"""Hashes of frames, and checksums of all that a store keeps.

A frame is known by BLAKE3, because nobody can make two frames of one hash. Checksums tell damage, and are
fast: XXH3 of a row, and a seal of each record, which any change of one of its words changes.
"""

import numpy as np
import xxhash
from blake3 import blake3
from jaxtyping import Int, UInt8, UInt64

HASH_BYTES = 16
HASH = np.dtype(f"V{HASH_BYTES}")
PRIME = np.uint64(0x9E3779B97F4A7C15)  # odd, 2**64 over the golden ratio: spreads bits when multiplied with


def frame_hash(frame: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """The hash under which a decoded frame is stored: of its pixels and its shape."""
    return digest(repr(frame.shape).encode(), np.ascontiguousarray(frame).reshape(-1).data)


def digest(*parts: bytes | memoryview) -> bytes:
    """BLAKE3 of all parts, one after the other, cut to `HASH_BYTES`."""
    hashed = blake3()
    for part in parts:
        hashed.update(part)
    return hashed.digest(HASH_BYTES)


def checksum(data: np.ndarray) -> int:
    """XXH3 (64 bits) of the bytes of a contiguous array."""
    return xxhash.xxh3_64_intdigest(data.data)


def checksums(rows: np.ndarray, which: Int[np.ndarray, "n"]) -> list[int]:
    """The checksums of some rows of a contiguous array "r d"."""
    size, data = rows[0].nbytes, rows.reshape(-1).view(np.uint8).data
    return [xxhash.xxh3_64_intdigest(data[row * size : (row + 1) * size]) for row in which.tolist()]


def seals(records: np.ndarray, numbers: Int[np.ndarray, "n"]) -> UInt64[np.ndarray, "n"]:
    """What the last field of each record must be: of its other fields and of its number in the file.

    Every step keeps different values different, so a change within one word is always noticed.
    """
    words = np.ascontiguousarray(records).view("<u8").reshape(-1, records.itemsize // 8)[:, :-1]
    sealed = (numbers.astype(np.uint64) + np.uint64(1)) * PRIME
    for word in words.T:
        sealed ^= word
        sealed *= PRIME
        sealed ^= sealed >> np.uint64(32)
    return sealed


def sealed(records: np.ndarray, first: int) -> np.ndarray:
    """The records with their seals, for the place `first` of their file."""
    records["seal"] = seals(records, np.arange(first, first + len(records)))
    return records
