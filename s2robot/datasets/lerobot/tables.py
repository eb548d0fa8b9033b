"""Parquet files: columns as NumPy arrays, read by rows and never more of a file than is needed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from s2robot.datasets.lerobot.files import check_parquet, check_regular
from s2robot.datasets.lerobot.footer import declared_values
from s2robot.datasets.lerobot.texts import check_texts, holds_text
from s2robot.datasets.limits import MOST_NUMBERS, NUMBER_BYTES, NUMBERS_RATIO
from s2robot.errors import UserError


class Table:
    """One parquet file, opened for reading rows of single columns."""

    def __init__(self, path: Path, buffer_bytes: int = 0) -> None:
        """Raises `UserError` for what is no parquet file, or one without its footer.

        With `buffer_bytes` a `stream` holds that much of a file; a row group is read as a whole otherwise.
        """
        self.path = path
        check_regular(path)
        try:
            # not mapped: its pages would count as memory of this process
            self._file = pq.ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=buffer_bytes)
            self.schema: pa.Schema = self._file.schema_arrow
            self._names: list[str] = self.schema.names  # decoded here: they may be no UTF-8
        except (pa.ArrowException, OSError, ValueError) as error:
            check_parquet(path)  # says it better, where it knows
            raise UserError(f"{path} cannot be read as parquet: {error}") from error
        self._check_inflated()
        self.rows: int = self._file.metadata.num_rows
        groups = [self._file.metadata.row_group(i).num_rows for i in range(self._file.num_row_groups)]
        self._bounds = np.concatenate([[0], np.cumsum(groups)]).astype(int)
        if self.rows != self._bounds[-1]:
            found = f"declares {self.rows} rows and its row groups {self._bounds[-1]}"
            raise UserError(f"{path} {found}; the file is damaged")

    def _check_inflated(self) -> None:
        """Raise `UserError` for a file that declares more numbers than anyone records."""
        try:
            values = declared_values(self.path)
        except (OSError, ValueError) as error:
            raise UserError(f"{self.path} cannot be read as parquet: {error}") from error
        declared, size = values * NUMBER_BYTES, self.path.stat().st_size
        if declared > max(MOST_NUMBERS, NUMBERS_RATIO * size):
            raise UserError(
                f"{self.path} declares {declared / 2**30:.4g} GiB of numbers and has {size / 2**30:.2g} GiB; "
                f"the file is damaged or made to exhaust memory"
            )

    @property
    def columns(self) -> list[str]:
        return self._names

    def column(self, key: str, start: int = 0, stop: int | None = None) -> pa.Array:
        """Rows start to stop of one column."""
        return self.read([key], start, stop)[key]

    def read(self, keys: Sequence[str], start: int = 0, stop: int | None = None) -> dict[str, pa.Array]:
        """Rows start to stop of some columns; whole row groups are read."""
        stop = self.rows if stop is None else stop
        groups = self._groups(start, stop)
        if not groups:
            return {key: pa.array([], self.schema.field(key).type) for key in keys}
        first = start - self._bounds[groups[0]]
        try:
            if texts := [key for key in keys if holds_text(self.schema.field(key).type)]:
                check_texts(self.path, self._file.schema, groups, texts)
            found = self._file.read_row_groups(groups, columns=list(keys), use_threads=False)
            rows = {key: _one_array(found[key].slice(first, stop - start)) for key in keys}
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{self.path}: {', '.join(keys)} cannot be read: {error}") from error
        for key, values in rows.items():
            if len(values) != stop - start:
                raise UserError(
                    f"{self.path}: column {key!r} ends at row {start + len(values)}, the file declares "
                    f"{self.rows}; it is damaged"
                )
        return rows

    def numbers(self, key: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows start to stop of a numeric column, "t ...", nested lists as further axes."""
        return to_numpy(self.column(key, start, stop), f"{self.path}: {key}")

    def stream(self, key: str, start: int, batch: int) -> Iterator[Any]:
        """The rows of a column from `start` on, `batch` of them in memory at a time."""
        groups = self._groups(start, self.rows)
        skip = start - int(self._bounds[groups[0]]) if groups else 0
        try:
            for part in self._file.iter_batches(batch, row_groups=groups, columns=[key]):
                values = part.column(0)
                yield from values[skip:]
                skip = max(0, skip - len(values))
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{self.path}: column {key!r} cannot be read: {error}") from error

    def close(self) -> None:
        self._file.close()

    def _groups(self, start: int, stop: int) -> list[int]:
        """Row groups that hold a row from start to stop."""
        lower, upper = self._bounds[:-1], self._bounds[1:]
        return [int(i) for i in np.flatnonzero((lower < stop) & (upper > start))]


def read_table(path: Path, skip_prefix: str | None = None) -> list[dict[str, Any]]:
    """All rows of a small table, without the columns whose names start with `skip_prefix`."""
    table = Table(path)
    columns = [key for key in table.columns if skip_prefix is None or not key.startswith(skip_prefix)]
    values = {key: _plain(column, f"{path}: {key}") for key, column in table.read(columns).items()}
    rows = table.rows
    table.close()
    return [{key: values[key][i] for key in columns} for i in range(rows)]


def _plain(column: pa.Array, where: str) -> list[Any]:
    try:
        return column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException) as error:  # text that is no UTF-8, times
        raise UserError(f"{where}: {column.type} cannot be read: {error}") from error


def width(type_: pa.DataType) -> tuple[str, bool]:
    """NumPy's name of what a column holds in the end, and whether that is numeric."""
    while _is_list(type_):
        type_ = type_.value_type
    if isinstance(type_, pa.BaseExtensionType):
        return width(type_.storage_type)
    numeric = pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_boolean(type_)
    return (np.dtype(type_.to_pandas_dtype()).name if numeric else str(type_)), numeric


def to_numpy(values: pa.Array, where: str) -> np.ndarray:
    """A numeric column as an array "t ..."; raises `UserError` for nulls and rows of differing lengths."""
    shape: list[int] = [len(values)]
    while True:
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        if values.null_count:
            row = values.is_null().to_pylist().index(True) // max(1, int(np.prod(shape[1:])))
            raise UserError(f"{where}, row {row}: no value; expected a number in every row")
        if not _is_list(values.type):
            break
        lengths = _lengths(values)
        if len(lengths) and (lengths != lengths[0]).any():
            row = int(np.flatnonzero(lengths != lengths[0])[0]) // max(1, int(np.prod(shape[1:])))
            found = int(lengths[lengths != lengths[0]][0])
            raise UserError(f"{where}, row {row}: {found} numbers; expected {lengths[0]} as in row 0")
        shape.append(int(lengths[0]) if len(lengths) else 0)
        values = values.flatten()
    if not width(values.type)[1]:
        raise UserError(f"{where}: holds {values.type}, not numbers")
    return values.to_numpy(zero_copy_only=False).reshape(shape)


def _is_list(type_: pa.DataType) -> bool:
    return pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)


def _lengths(values: pa.Array) -> np.ndarray:
    if pa.types.is_fixed_size_list(values.type):
        return np.full(len(values), values.type.list_size)
    return np.diff(values.offsets.to_numpy())


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    chunks: Sequence[pa.Array] = column.chunks
    if not chunks:
        return pa.array([], column.type)
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)
