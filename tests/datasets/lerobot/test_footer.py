"""The footer of a parquet file: the same count as PyArrow's, and no byte of it can end the process."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2robot.datasets.lerobot.footer import declared_values, null_counts
from s2robot.datasets.lerobot.tables import Table
from s2robot.errors import UserError

TABLES: dict[str, dict[str, object]] = {
    "flat": {"action": np.arange(30.0), "task": ["put it there"] * 30, "done": [True, None] * 15},
    "lists": {"state": [[1.0, 2.0, 3.0]] * 30, "nested": [[[1], [2, 3]]] * 30},
    "images": {"image": [{"bytes": b"\x89PNG", "path": "a.png"}] * 30},
}


def written(folder: Path, columns: dict[str, object]) -> Path:
    path = folder / "file.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=7)
    return path


@pytest.mark.parametrize("name", TABLES)
def test_as_many_values_as_pyarrow_counts(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, TABLES[name])
    meta = pq.ParquetFile(path).metadata
    groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
    assert declared_values(path) == sum(
        group.column(j).num_values for group in groups for j in range(meta.num_columns)
    )


def test_as_many_values_are_missing_as_pyarrow_counts(tmp_path: Path) -> None:
    cells = [{"bytes": b"\x89PNG" if i % 3 else None, "path": None if i else "a.png"} for i in range(30)]
    path = written(tmp_path, {**TABLES["flat"], "image": cells})
    columns = {("action",): 0, ("task",): 0, ("done",): 15, ("image", "bytes"): 10, ("image", "path"): 29}
    assert null_counts(path) == columns
    pq.write_table(pa.table({"done": [True, None]}), path, write_statistics=False)
    assert null_counts(path) == {}


@pytest.mark.parametrize("byte", [0x00, 0x7F, 0xFF])
def test_no_byte_of_a_footer_ends_the_process(tmp_path: Path, byte: int) -> None:
    """Some of these were thrown through PyArrow's `column` and aborted."""
    path = written(tmp_path, {"state": [[1.0, 2.0]] * 4})
    whole = path.read_bytes()
    length = int.from_bytes(whole[-8:-4], "little")
    refused = 0
    for at in range(len(whole) - 8 - length, len(whole) - 4):
        path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
        try:
            table = Table(path)
            assert all(len(table.column(key)) == table.rows for key in table.columns)
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
        with suppress(ValueError):
            null_counts(path)
    assert 10 < refused < length + 4
