"""A segment: the part of a store that one writer appended, valid whenever that writer was stopped.

    <store>/segments/<name>/
        rows.bin        the features, row after row (see `row.py`)
        records.bin     a record for each row: hash of the frame (or view), checksum of the row, seal
        index.bin       the rows sorted by hash (see `index.py`); may be missing or behind
        episodes.bin    episodes that are known (see `manifest.py`)
        frames.bin      the hashes of their frames

A row counts once its whole record is there, and it is on the disk before its record is written. No file is
ever changed, only appended to, and by its one writer alone.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Int

from s2robot.features.damage import damaged, file_size
from s2robot.features.hashing import HASH, seals
from s2robot.features.index import Part, read_index, sort

RECORD = np.dtype([("frame", HASH), ("checksum", "<u8"), ("seal", "<u8")])


class Segment:
    """The rows of a segment that are valid now. Raises UserError if a file is damaged."""

    def __init__(self, folder: Path, row_bytes: int) -> None:
        self.folder, self.rows_file = folder, folder / "rows.bin"
        self._file = folder / "records.bin"
        count = file_size(self._file) // RECORD.itemsize
        there = file_size(self.rows_file) // row_bytes
        if there < count:
            raise damaged(folder, f"{count} rows are listed and {there} are there")
        self.records = np.empty(0, RECORD)
        if count:  # an empty file cannot be mapped
            self.records = np.asarray(np.memmap(self._file, RECORD, "r", shape=(count,)))

    def __len__(self) -> int:
        return len(self.records)

    def read(self, rows: Int[np.ndarray, "n"]) -> np.ndarray:
        """The records of rows; UserError if one of them is not what was written."""
        records = self.records[rows]
        wrong = seals(records, rows) != records["seal"]
        if wrong.any():
            what = f"the record of row {rows[wrong][0]} is not what was written"
            raise damaged(self._file, what, str(self.folder))
        return records

    def index(self) -> list[Part]:
        """All rows by their hashes: the index on the disk, and what was recorded since, sorted now."""
        file = self.folder / "index.bin"
        part = read_index(file)
        count = len(part.rows)
        if count > len(self):
            raise damaged(file, f"it has {count} rows and the segment {len(self)}")
        rest = self.read(np.arange(count, len(self)))["frame"]
        return [part, sort(rest, count)] if len(rest) else [part]
