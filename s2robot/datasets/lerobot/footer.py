"""How many numbers a parquet file declares, and how many are missing, read off its footer.

PyArrow's own way, `metadata.row_group(i).column(j)`, ends the process where a footer is damaged: what its
constructor throws passes through Cython uncaught (26.0). Fields are those of parquet.thrift in Thrift's
compact protocol.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROW_GROUPS, COLUMNS, META_DATA, NUM_VALUES = 4, 1, 3, 5  # the way down: field of each structure
PATH_IN_SCHEMA, STATISTICS, NULL_COUNT = 3, 12, 3
WAY = (ROW_GROUPS, COLUMNS, META_DATA, NUM_VALUES)
TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
TRAILER = struct.Struct("<I4s")  # length of the footer, then PAR1
DEEPEST = 64


def declared_values(path: Path) -> int:
    """Of all columns of all row groups together. Raises `ValueError` for a footer that makes no sense."""
    reader = _Compact(_footer(path))
    try:
        reader.structure(WAY)
    except IndexError:
        raise ValueError("its footer ends too early") from None
    return reader.total


def null_counts(path: Path) -> dict[tuple[str, ...], int]:
    """Missing values of each column by its path, of those whose writer counted them in all row groups.

    Raises `ValueError` for a footer that makes no sense.
    """
    counts: dict[tuple[str, ...], int] = {}
    uncounted = set()
    try:
        for column, nulls in _chunks(_Compact(_footer(path)).value(STRUCT)):
            counts[column] = counts.get(column, 0) + (nulls or 0)
            if nulls is None:
                uncounted.add(column)
    except (IndexError, KeyError, TypeError, AttributeError):
        raise ValueError("its footer holds other fields than parquet's") from None
    return {column: count for column, count in counts.items() if column not in uncounted}


def _chunks(footer: dict[int, Any]) -> Iterator[tuple[tuple[str, ...], int | None]]:
    """Path of a column and its missing values, of each row group."""
    for group in footer.get(ROW_GROUPS, []):
        for chunk in group[COLUMNS]:
            meta = chunk[META_DATA]
            names = tuple(name.decode() for name in meta[PATH_IN_SCHEMA])
            yield names, meta.get(STATISTICS, {}).get(NULL_COUNT)


def _footer(path: Path) -> bytes:
    with path.open("rb") as file:
        end = file.seek(-TRAILER.size, 2)
        length, _ = TRAILER.unpack(file.read(TRAILER.size))
        if length > end:
            raise ValueError("its footer is longer than the file")
        file.seek(end - length)
        return file.read(length)


class _Compact:
    """Walks through values of the compact protocol and adds up those at the end of the way."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.total = data, 0, 0

    def structure(self, way: tuple[int, ...] = (), depth: int = 0) -> None:
        if depth > DEEPEST:
            raise ValueError("its footer is nested too deeply")
        field = 0
        while header := self._byte():
            kind = header & 15
            field = field + (header >> 4) if header >> 4 else self._signed()
            if kind in (TRUE, FALSE):
                continue
            if way and field == way[0]:
                self._follow(kind, way[1:], depth + 1)
            else:
                self._skip(kind, depth + 1)

    def value(self, kind: int, depth: int = 0) -> Any:
        """A value itself: structures by the number of the field; None for kinds of no use here."""
        if depth > DEEPEST:
            raise ValueError("its footer is nested too deeply")
        if BYTE < kind < DOUBLE:
            return self._signed()
        if kind == BINARY:
            length = self._varint()
            self.at += length
            return self.data[self.at - length : self.at]
        if kind == LIST:
            count, inner = self._list()
            if count > len(self.data):
                raise IndexError
            return [self.value(inner, depth + 1) for _ in range(count)]
        if kind != STRUCT:
            return self._skip(kind, depth)
        fields: dict[int, Any] = {}
        field = 0
        while header := self._byte():
            kind = header & 15
            field = field + (header >> 4) if header >> 4 else self._signed()
            fields[field] = None if kind in (TRUE, FALSE) else self.value(kind, depth + 1)
        return fields

    def _follow(self, kind: int, way: tuple[int, ...], depth: int) -> None:
        if way and kind == LIST:
            count, kind = self._list()
            for _ in range(count):
                self._follow(kind, way, depth)
        elif way and kind == STRUCT:
            self.structure(way, depth)
        elif not way and BYTE < kind < DOUBLE:  # a whole number
            self.total += abs(self._signed())
        else:
            raise ValueError("its footer holds other fields than parquet's")

    def _skip(self, kind: int, depth: int) -> None:
        if BYTE < kind < DOUBLE:
            self._varint()
        elif kind == BINARY:
            length = self._varint()
            self.at += length
        elif kind == STRUCT:
            self.structure((), depth)
        elif kind in (LIST, SET):
            self._skip_many(*self._list(), depth)
        elif kind == MAP:
            if count := self._varint():
                kinds = self._byte()
                for _ in range(count):
                    self._skip_many(1, kinds >> 4, depth)
                    self._skip_many(1, kinds & 15, depth)
        elif kind in (TRUE, FALSE, BYTE):
            self.at += 1
        elif kind == DOUBLE:
            self.at += 8
        else:
            raise ValueError(f"its footer holds a value of unknown kind {kind}")

    def _skip_many(self, count: int, kind: int, depth: int) -> None:
        if depth > DEEPEST:
            raise ValueError("its footer is nested too deeply")
        for _ in range(count):
            self._skip(kind, depth + 1)
            if self.at > len(self.data):
                raise IndexError

    def _list(self) -> tuple[int, int]:
        header = self._byte()
        count = header >> 4
        return self._varint() if count == 15 else count, header & 15

    def _byte(self) -> int:
        value = self.data[self.at]
        self.at += 1
        return value

    def _varint(self) -> int:
        data, at = self.data, self.at
        value, shift = data[at] & 127, 7
        while data[at] & 128:
            at += 1
            value |= (data[at] & 127) << shift
            shift += 7
            if shift > 70:
                raise ValueError("its footer holds a number that is too long")
        self.at = at + 1
        return value

    def _signed(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
