"""The parquet files of the rows, one after the other."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from s2robot.datasets.lerobot.files import expand
from s2robot.datasets.lerobot.info import CHUNKS_SIZE, DATA_PATH


class DataFiles:
    """Files of at most about `limit_bytes`; an episode is in one of them."""

    def __init__(self, root: Path, schema: pa.Schema, limit_bytes: int) -> None:
        self._root, self._schema, self._limit_bytes = root, schema, limit_bytes
        self._number = -1
        self._path = Path()
        self._file: pq.ParquetWriter | None = None

    def begin(self) -> None:
        """Begin an episode, in a new file if there is none or the last one is full."""
        if self._file is not None and self._path.stat().st_size < self._limit_bytes:
            return
        self.close()
        self._number += 1
        self._path = self._root / expand(DATA_PATH["3"], self.place(), None, "")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = pq.ParquetWriter(self._path, self._schema, compression="snappy", use_dictionary=True)

    def write(self, rows: pa.Table) -> None:
        """Append rows as one row group."""
        assert self._file is not None, "begin an episode first"
        self._file.write_table(rows.select(self._schema.names), row_group_size=max(1, rows.num_rows))

    def place(self) -> dict[str, int]:
        """Chunk and number of the current file."""
        return {"chunk_index": self._number // CHUNKS_SIZE, "file_index": self._number % CHUNKS_SIZE}

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def abandon(self) -> None:
        """Write no more: after an error closing the file would only fail as well."""
        if self._file is not None:
            self._file.is_open = False
