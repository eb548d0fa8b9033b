"""What is wrong in a LeRobot folder is refused in one line that names file and episode."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2robot.datasets import open_dataset
from s2robot.datasets.lerobot.v3 import TASKS
from s2robot.errors import UserError
from tests.datasets.lerobot import layouts
from tests.datasets.lerobot.layouts import FRONT, WRIST, Recording, opened
from tests.datasets.lerobot.spoiling import (
    LFS,
    V2_DATA,
    V3_DATA,
    V3_TABLE,
    column,
    damage,
    loop,
    replace,
    retable,
    truncate,
)

REFUSED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "lance": ("v3.0", lambda r: layouts.change_info(r, storage_format="lance"), "stored as 'lance'"),
    "newer": ("v3.0", lambda r: layouts.change_info(r, codebase_version="v4.0"), "'v4.0' is not a version"),
    "newer minor": ("v3.0", lambda r: layouts.change_info(r, codebase_version="v3.1"), "'v3.1' is not"),
    "older": ("v2.0", lambda r: layouts.change_info(r, codebase_version="v1.6"), "'v1.6' is older"),
    "newer layout": (
        "v3.0",
        lambda r: layouts.change_info(r, codebase_version="v2.1"),
        "laid out as an",
    ),
    "older layout": (
        "v2.1",
        lambda r: layouts.change_info(r, codebase_version="v3.0"),
        "laid out as an",
    ),
    "no version": (
        "v2.0",
        lambda r: layouts.change_info(r, codebase_version=None),
        "codebase_version is None",
    ),
    "fps": ("v3.0", lambda r: layouts.change_info(r, fps=0), "fps is 0"),
    "fps text": ("v3.0", lambda r: layouts.change_info(r, fps="10"), "fps is '10'"),
    "fps long": ("v3.0", lambda r: layouts.change_info(r, fps=10**400), "meta/info.json: fps is 1000"),
    "looping link": (
        "v3.0",
        lambda r: loop(r / "data"),
        "is a link that leads to itself",
    ),
    "damaged footer": ("v3.0", lambda r: damage(r / V3_DATA), "file-001.parquet cannot be read as parquet"),
    "no features": ("v3.0", lambda r: layouts.change_info(r, features={}), "'features' is missing"),
    "feature": (
        "v3.0",
        lambda r: layouts.change_info(r, features={"a/../b": {"dtype": "video", "shape": [1, 1, 3]}}),
        "'a/../b' is no name",
    ),
    "shape": (
        "v3.0",
        lambda r: layouts.change_info(r, features={"a": {"dtype": "float32", "shape": [-1]}}),
        "shape",
    ),
    "json": ("v3.0", lambda r: replace(r / "meta/info.json", b"{"), "info.json is not valid JSON"),
    "deep json": ("v3.0", lambda r: replace(r / "meta/info.json", b"[" * 100_000), "is not valid JSON"),
    "long number": ("v3.0", lambda r: replace(r / "meta/info.json", b"9" * 9_999), "is not valid JSON"),
    "deep json line": (
        "v2.1",
        lambda r: replace(r / "meta/episodes.jsonl", b"[" * 100_000),
        "line 1 is not valid JSON",
    ),
    "lfs info": ("v3.0", lambda r: replace(r / "meta/info.json", LFS), "git lfs pull"),
    "lfs data": ("v3.0", lambda r: replace(r / V3_DATA, LFS), r"file-001.parquet is a Git LFS pointer"),
    "unfinished data": ("v3.0", lambda r: truncate(r / V3_DATA), "file-001.parquet .* not finalised"),
    "unfinished episodes": ("v3.0", lambda r: truncate(r / V3_TABLE), "file-000.parquet .* not finalised"),
    "unfinished v2": ("v2.1", lambda r: truncate(r / V2_DATA), "episode_000001.parquet .* not finalised"),
    "no data": ("v2.1", lambda r: (r / V2_DATA).unlink(), "episode_000001.parquet is missing"),
    "no episodes": ("v3.0", lambda r: (r / V3_TABLE).unlink(), "meta/episodes holds no episodes"),
    "empty episodes": ("v2.1", lambda r: replace(r / "meta/episodes.jsonl", b""), "holds no episodes"),
    "jsonl": ("v2.1", lambda r: replace(r / "meta/episodes.jsonl", b"{}\n[]\n"), "line 2: found"),
    "no tasks": ("v3.0", lambda r: (r / "meta/tasks.parquet").unlink(), "tasks.parquet is missing"),
    "a task of two texts": (
        "v3.0",
        lambda r: retable(r / TASKS, column("task_index", 1, 0)),
        "task_index 0 has the texts 'push the block' and 'lift the cube'",
    ),
    "a task of two texts, v2": (
        "v2.1",
        lambda r: replace(
            r / "meta/tasks.jsonl",
            b'{"task_index": 0, "task": "a"}\n{"task_index": 0, "task": "b"}\n',
        ),
        "task_index 0 has the texts 'a' and 'b'; expected one",
    ),
    "a task without text": (
        "v3.0",
        lambda r: retable(r / TASKS, column("task", 0, None)),
        "tasks.parquet: task of task_index 0 is None; expected a text",
    ),
    "twice": ("v3.0", lambda r: retable(r / V3_TABLE, column("episode_index", 1, 0)), "0 appears more than"),
    "no rows": (
        "v3.0",
        lambda r: retable(r / V3_TABLE, column("data/file_index", 1, 0)),
        "episode_000001: it has no rows",
    ),
    "frame order": (
        "v3.0",
        lambda r: retable(r / V3_DATA, column("frame_index", 3, 9)),
        "episode_000001: frame_index is 9 in its row 3",
    ),
    "a number too long for a name": (
        "v2.1",
        lambda r: replace(r / "meta/episodes.jsonl", b'{"episode_index": %d, "length": 7}' % 10**300),
        "can be no path: File name too long",
    ),
    "times in metadata": (
        "v3.0",
        lambda r: retable(r / V3_TABLE, lambda t: t.update(length=list(np.ones(3, "M8[ns]")))),
        r"file-000.parquet: length: timestamp\[ns\] cannot be read",
    ),
    "no episode": (
        "v2.1",
        lambda r: retable(r / V2_DATA, lambda t: t.update(episode_index=[float("nan")] * 12)),
        "episode_index: found nan, expected whole numbers",
    ),
    "endless index": (
        "v2.1",
        lambda r: retable(r / V2_DATA, lambda t: t.update(episode_index=[float("inf")] * 12)),
        "episode_index: found a number that is not finite",
    ),
    "pairs of indices": (
        "v2.1",
        lambda r: retable(r / V2_DATA, lambda t: t.update(frame_index=[[0, 1]] * 12)),
        "frame_index: found 24 numbers in 12 rows",
    ),
    "endless length": (
        "v3.0",
        lambda r: retable(r / V3_TABLE, lambda t: t.update(length=[float("inf")] * 3)),
        "episode 0: length is inf",
    ),
    "mixed episodes": (
        "v3.0",
        lambda r: retable(r / V3_DATA, column("episode_index", 5, 2)),
        "episode_000001: its rows do not follow|episode_000002: frame_index",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(tmp_path: Path, case: str) -> None:
    version, spoil, message = REFUSED[case]
    root = Recording(version=version, images="png").write(tmp_path / "set")
    spoil(root)
    with pytest.raises(UserError, match=message) as caught:
        opened(root)
    assert "\n" not in str(caught.value) and str(root) in str(caught.value)


@pytest.mark.parametrize("column_", ["from_timestamp", "file_index"])
def test_a_camera_without_a_place_in_the_videos_blocks_nothing_else(tmp_path: Path, column_: str) -> None:
    root = Recording().write(tmp_path / "set")
    retable(root / V3_TABLE, column(f"videos/{FRONT}/{column_}", 1, None))
    told = rf"episode 1: videos/{FRONT}/{column_} is None.*data.cameras=\[wrist\] trains without"
    with pytest.raises(UserError, match=told):
        open_dataset(root)
    assert list(open_dataset(root, cameras=["wrist"]).cameras) == ["wrist"]
    table = pq.read_table(root / V3_TABLE)
    pq.write_table(table.drop_columns([key for key in table.column_names if FRONT in key]), root / V3_TABLE)
    with pytest.raises(UserError, match=rf"episode 0: videos/{FRONT}/chunk_index is None"):
        open_dataset(root)
    assert list(open_dataset(root, cameras=["wrist"]).cameras) == ["wrist"]


def test_images_kept_as_numbers_are_image_like_and_no_proprioception(tmp_path: Path) -> None:
    pixels = pa.array(np.zeros((28, 8, 6, 3), np.uint8).tolist(), pa.list_(pa.list_(pa.list_(pa.uint8()))))
    root = Recording(images="png", cameras=(WRIST,), columns={FRONT: pixels}).write(tmp_path / "set")
    features = layouts.read_info(root)["features"] | {FRONT: {"dtype": "uint8", "shape": [8, 6, 3]}}
    layouts.change_info(root, features=features)
    dataset = open_dataset(root)
    assert list(dataset.cameras) == ["wrist"] and FRONT not in dataset.keys.low_dim()
    left_alone = rf"left alone: {FRONT} \(uint8 of shape \(7, 8, 6, 3\)\)"
    assert any(re.search(left_alone, str(warning)) for warning in dataset.warnings)
    for chosen in ({"cameras": ["front"]}, {"proprio": [FRONT]}):
        with pytest.raises(UserError, match=r"images kept as plain numbers.*: store them as dtype 'image'"):
            open_dataset(root, **chosen)


def test_rows_of_differing_width_and_nulls_are_named(tmp_path: Path) -> None:
    for name, cell, message in (
        ("short", [1.0], "action, row 2: 1 numbers; expected 3"),
        ("null", None, "action, row 2: no value"),
        ("null inside", [0.0, None, 0.0], "action, row 2: no value"),
    ):
        root = Recording(version="v2.1", images="png").write(tmp_path / name)
        retable(root / V2_DATA, column("action", 2, cell))
        with pytest.raises(UserError, match=message):
            opened(root).read(1, "action")
    layouts.change_info(
        root, features=layouts.read_info(root)["features"] | {"action": {"dtype": "float32", "shape": [5]}}
    )
    with pytest.raises(UserError, match=r"rows have shape \(3,\); expected \(5,\)"):
        opened(root).read(0, "action")


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_what_is_meant_to_be_a_folder_of_lerobot(version: str, tmp_path: Path) -> None:
    root = Recording(version=version, images="png").write(tmp_path / "set")
    with pytest.raises(UserError, match=rf"info.json is a file; a LeRobot dataset is .*: give {root}$"):
        open_dataset(root / "meta/info.json")
    (root / "meta/info.json").unlink()
    with pytest.raises(UserError, match=r"meta/info.json is missing; is the download complete"):
        open_dataset(root)


def test_actions_that_are_not_declared_are_named(tmp_path: Path) -> None:
    root = Recording(images="png").write(tmp_path / "set")
    features = layouts.read_info(root)["features"]
    del features["action"]
    layouts.change_info(root, features=features)
    with pytest.raises(UserError, match=r"info.json: 'features' lack 'action', a column of the data"):
        open_dataset(root)
    assert open_dataset(root, actions=["observation.state"], proprio=[]).action_keys


def test_rows_that_are_empty_are_named(tmp_path: Path) -> None:
    root = Recording(version="v2.1", images="png").write(tmp_path / "set")
    rows: Any = [np.zeros(0, np.float32)]
    retable(root / V2_DATA, lambda columns: columns.update(action=rows * len(columns["action"])))
    with pytest.raises(UserError, match=r"episode_000001, action: rows have shape \(0,\); expected \(3,\)"):
        open_dataset(root)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (
            [b"\x89PNG\r\n\x1a\n\0\0\0\x05IHDR" + bytes(9)],
            r"no readable PNG or JPEG image: Truncated IHDR chunk",
        ),
        ([[1, 2]], "found list, expected the bytes of an image"),
    ],
)
def test_cells_that_hold_no_image(cells: list[Any], told: str, tmp_path: Path) -> None:
    root = Recording(version="v2.1", images="png", cameras=(FRONT,)).write(tmp_path / "set")
    for data in root.glob("data/*/*.parquet"):
        retable(data, lambda columns: columns.update({FRONT: [{"bytes": cells[0]}] * len(columns[FRONT])}))
    with pytest.raises(UserError, match=told):
        open_dataset(root)


def test_names_of_columns_that_are_no_text(tmp_path: Path) -> None:
    root = Recording(version="v2.1", images="png").write(tmp_path / "set")
    content = (root / V2_DATA).read_bytes()
    (root / V2_DATA).write_bytes(content.replace(b"observation.state", b"observation.\xb8tate"))
    with pytest.raises(UserError, match=r"episode_000001.parquet") as raised:
        open_dataset(root)
    assert "\n" not in str(raised.value)
