"""Files that declare more than anyone records are refused before memory is taken for it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2robot.datasets import images, limits
from s2robot.datasets.lerobot.tables import Table
from s2robot.datasets.lerobot.video import Video
from s2robot.errors import UserError
from tests.datasets.lerobot import layouts
from tests.datasets.small_files import picture
from tests.datasets.test_streams import encoded


def test_a_table_of_repeated_numbers(tmp_path: Path) -> None:
    """40 million of one number take a few kilobytes of parquet."""
    rows = pa.table({"frame_index": np.zeros(10**7, np.int8)})
    with pq.ParquetWriter(tmp_path / "a.parquet", rows.schema) as file:
        for _ in range(4):
            file.write_table(rows)
    with pytest.raises(UserError, match=r"a\.parquet declares 0\.298 GiB of numbers and has"):
        Table(tmp_path / "a.parquet")


@pytest.mark.parametrize("key", ["task", "language.instruction", "tasks"])
@pytest.mark.parametrize("rows", [200, 400])
def test_a_table_of_repeated_texts(tmp_path: Path, key: str, rows: int) -> None:
    """A text of a MiB in each row takes a few kilobytes of parquet: 0.4 GiB are refused, 0.2 are read."""
    path, text = tmp_path / "a.parquet", "t" * 2**20
    values = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [text])
    if key == "tasks":
        values = pa.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32), values)
    table = pa.table({key: values, "i": np.arange(rows)})
    pq.write_table(table, path, dictionary_pagesize_limit=2**30, store_schema=False)
    assert path.stat().st_size < 2**17
    if rows == 200:
        read = Table(path).read([key, "i"])
        assert read[key][-1].as_py() == ([text] if key == "tasks" else text)
        return
    with pytest.raises(UserError, match=rf"a\.parquet: the texts of {key} are 0\.39\d* GiB and the file has"):
        Table(path).read([key, "i"])


def test_a_table_that_declares_more_rows_than_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"task": ["a", "b"]}), path)
    table = Table(path)
    monkeypatch.setattr(table, "rows", 3)
    monkeypatch.setattr(table, "_bounds", np.array([0, 3]))
    with pytest.raises(UserError, match=r"a\.parquet: column 'task' ends at row 2, the file declares 3"):
        table.read(["task"])


def test_frames_larger_than_cameras_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layouts.encode(tmp_path / "a.mp4", picture(3, 32, 24))
    (stream, *_) = encoded("PNG")
    Video(tmp_path / "a.mp4", 10).close()
    assert images.stream_header(stream)[:2] == (32, 24)
    monkeypatch.setattr(limits, "MOST_PIXELS", 32 * 24 - 1)
    with pytest.raises(UserError, match=r"a\.mp4: a frame of 24x32 pixels; at most 767 pixels"):
        Video(tmp_path / "a.mp4", 10)
    with pytest.raises(ValueError, match="a frame of 24x32 pixels"):
        images.stream_header(stream)
