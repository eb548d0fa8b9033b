"""Ways to spoil a LeRobot folder that the tests wrote."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

V2_DATA = "data/chunk-000/episode_000001.parquet"
V3_DATA = "data/chunk-000/file-001.parquet"
V3_TABLE = "meta/episodes/chunk-000/file-000.parquet"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def replace(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def loop(folder: Path) -> None:
    """Put a link to itself in place of a folder."""
    folder.rename(folder.with_name("away"))
    folder.symlink_to(folder.name)


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-60] + b"\x7f" * 52 + content[-8:])


def retable(path: Path, change: Callable[[dict[str, list[Any]]], None]) -> None:
    columns = pq.read_table(path).to_pydict()
    change(columns)
    pq.write_table(pa.table(columns), path)


def column(key: str, row: int, value: Any) -> Callable[[dict[str, list[Any]]], None]:
    def change(columns: dict[str, list[Any]]) -> None:
        columns[key][row] = value

    return change
