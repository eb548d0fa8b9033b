"""The tables below `meta/`: episodes with their statistics, and tasks as pandas would write them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from s2robot.datasets.lerobot.info import Feature
from s2robot.datasets.lerobot.stats import NAMES, Stats
from s2robot.datasets.lerobot.v3 import EPISODES, TASKS

BATCH = 64  # episodes in memory


class EpisodesTable:
    """`meta/episodes`, one row an episode."""

    def __init__(self, root: Path, features: Mapping[str, Feature]) -> None:
        path = root / EPISODES / "chunk-000" / "file-000.parquet"
        path.parent.mkdir(parents=True)
        self._schema = pa.schema([*_places(features), *_statistics(features)])
        self._file = pq.ParquetWriter(path, self._schema)
        self._rows: list[dict[str, Any]] = []

    def add(self, row: Mapping[str, Any], stats: Mapping[str, Stats]) -> None:
        """Append an episode: its numbers and places by column name, and its statistics by feature."""
        listed = {f"stats/{key}/{name}": one[name].tolist() for key, one in stats.items() for name in NAMES}
        self._rows.append({**row, **listed, "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})
        if len(self._rows) == BATCH:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def abandon(self) -> None:
        """Write no more: after an error closing the file would only fail as well."""
        self._file.is_open = False

    def _flush(self) -> None:
        if self._rows:
            self._file.write_table(pa.Table.from_pylist(self._rows, self._schema))
        self._rows = []


def write_tasks(root: Path, tasks: Sequence[str]) -> None:
    """`meta/tasks.parquet`: row i is task i, its text the index when pandas reads it, as LeRobot does."""
    column = {"pandas_type": "int64", "numpy_type": "int64", "metadata": None}
    text = {"pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [{"name": None, "field_name": None, **text, "metadata": {"encoding": "UTF-8"}}],
        "columns": [
            {"name": "task_index", "field_name": "task_index", **column},
            {"name": "task", "field_name": "task", **text},
        ],
        "attributes": {},
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.0.0",  # whose layout this is
    }
    schema = pa.schema(
        [("task_index", pa.int64()), ("task", pa.string())], metadata={"pandas": json.dumps(pandas)}
    )
    table = pa.table({"task_index": range(len(tasks)), "task": list(tasks)}, schema)
    pq.write_table(table, root / TASKS)


def _places(features: Mapping[str, Feature]) -> list[tuple[str, pa.DataType]]:
    integers = ["episode_index", "length", "data/chunk_index", "data/file_index"]
    integers += ["dataset_from_index", "dataset_to_index"]
    integers += ["meta/episodes/chunk_index", "meta/episodes/file_index"]
    columns = [("tasks", pa.list_(pa.string())), *((key, pa.int64()) for key in integers)]
    for key in (key for key, feature in features.items() if feature.dtype == "video"):
        columns += [(f"videos/{key}/{name}", pa.int64()) for name in ("chunk_index", "file_index")]
        columns += [(f"videos/{key}/{name}", pa.float64()) for name in ("from_timestamp", "to_timestamp")]
    return columns


def _statistics(features: Mapping[str, Feature]) -> list[tuple[str, pa.DataType]]:
    columns = []
    for key, feature in features.items():
        if feature.dtype == "string":
            continue
        type_: pa.DataType = pa.float64()
        for _ in feature.shape:  # a camera's are (3, 1, 1)
            type_ = pa.list_(type_)
        for name in NAMES:
            columns.append((f"stats/{key}/{name}", pa.list_(pa.int64()) if name == "count" else type_))
    return columns
