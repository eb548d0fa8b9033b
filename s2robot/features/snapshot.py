"""All rows of a store as they are at one moment: the union of its segments."""

import mmap
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Int

from s2robot.features.hashing import HASH
from s2robot.features.index import Part, find, merge, prefixes_of
from s2robot.features.resident import maps_of, release_if_much
from s2robot.features.segment import Segment

PIECE = 2**13  # hashes that are looked up at once: each may map 64 KB of a file


class Snapshot:
    """Rows are numbered through the segments; what is appended later has no part in it."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = [segment for segment in segments if len(segment)]
        self.starts = np.cumsum([0, *map(len, self.segments)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def find(self, hashes: np.ndarray) -> Int[np.ndarray, "n"]:
        """The row of each frame (or view) with this hash, -1 where none is stored."""
        hashes = np.ascontiguousarray(hashes, HASH).ravel()
        order = np.argsort(prefixes_of(hashes))  # neighbours in the index are looked up one after the other
        found = np.empty(len(hashes), np.int64)
        for start in range(0, len(order), PIECE):
            piece = order[start : start + PIECE]
            found[piece] = find(self._index, hashes[piece], self.hashes)
            release_if_much(self._maps)
        return found

    def hashes(self, rows: Int[np.ndarray, "n"]) -> np.ndarray:
        """The hashes (dtype `HASH`) of rows; UserError if their records are damaged."""
        of = np.searchsorted(self.starts, rows, side="right") - 1
        found = np.empty(len(rows), HASH)
        for number in np.unique(of).tolist():
            own = of == number
            found[own] = self.segments[number].read(rows[own] - self.starts[number])["frame"]
        return found

    def segment_of(self, row: int) -> Segment:
        """The segment that holds a row."""
        return self.segments[int(np.searchsorted(self.starts, row, side="right")) - 1]

    @cached_property
    def _maps(self) -> list[mmap.mmap]:
        index = [array for part in self._index for array in (part.prefixes, part.rows)]
        return list(maps_of([*(segment.records for segment in self.segments), *index]))

    @cached_property
    def _index(self) -> list[Part]:
        parts = []
        for segment, start in zip(self.segments, self.starts.tolist(), strict=False):
            parts += [Part(part.prefixes, part.rows, start) for part in segment.index()]
        return merge(parts)
