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
