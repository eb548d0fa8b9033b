"""How many bytes the texts of a parquet file become: one that is written once may stand in a million rows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from s2robot.datasets.limits import MOST_NUMBERS, NUMBERS_RATIO
from s2robot.errors import UserError

TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


def holds_text(type_: pa.DataType) -> bool:
    """Whether a column holds texts or bytes, or lists of them."""
    while pa.types.is_nested(type_) and type_.num_fields == 1:
        type_ = type_.field(0).type
    return any(kind(type_) for kind in TEXTS)


def check_texts(path: Path, schema: pq.ParquetSchema, groups: Sequence[int], keys: Sequence[str]) -> None:
    """Raise `UserError` if texts of these columns would fill the memory; pyarrow's errors pass.

    They are read as dictionaries: each text once, and which of them a row has.
    """
    paths = [schema.column(i).path for i in range(len(schema))]  # the key, or `key.list.element`
    paths = [path for path in paths if any(path == key or path.startswith(f"{key}.") for key in keys)]
    with pq.ParquetFile(path, read_dictionary=paths, memory_map=False, pre_buffer=False) as file:
        found = file.read_row_groups(list(groups), columns=list(keys), use_threads=False)
    size = sum(_bytes(chunk) for column in found.columns for chunk in column.chunks)
    held = path.stat().st_size
    if size > max(MOST_NUMBERS, NUMBERS_RATIO * held):
        raise UserError(
            f"{path}: the texts of {', '.join(keys)} are {size / 2**30:.4g} GiB and the file has "
            f"{held / 2**30:.2g} GiB; the file is damaged or made to exhaust memory"
        )


def _bytes(values: pa.Array) -> int:
    while pa.types.is_nested(values.type) and not pa.types.is_struct(values.type):
        values = values.flatten()
    if not pa.types.is_dictionary(values.type):
        return int(values.nbytes)
    lengths = pc.binary_length(values.dictionary).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    rows = np.bincount(values.indices.drop_null().to_numpy(zero_copy_only=False), minlength=len(lengths))
    return int(rows @ lengths)
