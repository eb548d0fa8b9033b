"""What is odd in a LeRobot folder and harmless is said, and read by what its rows hold."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from s2robot.errors import UserError
from tests.datasets.lerobot import layouts
from tests.datasets.lerobot.layouts import FRONT, WRIST, Recording, opened
from tests.datasets.lerobot.spoiling import V2_DATA, V3_TABLE, column, retable


def test_what_many_episodes_have_in_common_is_said_once(tmp_path: Path) -> None:
    root = Recording(version="v2.1", images="png").write(tmp_path / "set")
    layouts.write_lines(root / "meta/tasks.jsonl", [])
    layouts.change_info(root, total_tasks=0)
    assert [warning.problem for warning in opened(root).warnings] == [
        "task_index 0 has no text among the tasks (and 2 more episodes)"
    ]


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_metadata_that_lie_are_counted_and_said(tmp_path: Path, version: str) -> None:
    root = Recording(version=version, images="png").write(tmp_path / "set")
    layouts.change_info(
        root, total_frames=1000, total_episodes=5, splits={"train": "0:5", "odd": "all"}, total_tasks=2
    )
    if version == "v3.0":
        retable(root / V3_TABLE, column("length", 1, 99))
    else:
        lines = [{"episode_index": i, "tasks": [], "length": n} for i, n in enumerate((7, 99, 9))]
        layouts.write_lines(root / "meta/episodes.jsonl", lines)
    source = opened(root)
    said = " | ".join(str(warning) for warning in source.warnings)
    for words in (
        "total_frames is 1000; counted 28",
        "total_episodes is 5; counted 3",
        "episode_000001: length is 99; counted 12 rows",
        "split 'train' is '0:5', of which 3 episodes are there",
        "split 'odd' is 'all'",
    ):
        assert words in said
    assert len(source.warnings) == 5
    assert source.masks == {}
    assert source.episodes[1].arrays["action"].rows == len(source.read(1, "action")) == 12


def test_episodes_beside_the_metadata_and_gaps_are_said(tmp_path: Path) -> None:
    root = Recording(images="png").write(tmp_path / "set")
    table = pq.read_table(root / V3_TABLE)
    pq.write_table(table.take([0, 2]), root / V3_TABLE)
    source = opened(root)
    said = " | ".join(str(warning) for warning in source.warnings)
    assert "rows of episode 1 are left out" in said
    assert "episodes are not numbered 0 to 1" in said
    np.testing.assert_array_equal(source.read(1, "action"), Recording().action(2))


@pytest.mark.parametrize(
    ("version", "listing", "names"),
    [
        ("v2.1", "meta/episodes.jsonl", ["chunk-000/episode_000003", "chunk-001/episode_001000"]),
        ("v3.0", "meta/episodes", ["chunk-000/file-003", "chunk-000/file-010"]),
    ],
)
def test_data_files_that_no_episode_names_are_said_once(
    tmp_path: Path, version: str, listing: str, names: list[str]
) -> None:
    root = Recording(version=version, images="png").write(tmp_path / "set")
    (root / "data/chunk-000/._episode_000000.parquet").touch()  # what a Mac leaves behind
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "private.parquet").touch()
    (root / "data/chunk-002").symlink_to(elsewhere)
    assert opened(root).warnings == []
    for name in reversed(names):
        (root / "data" / name).parent.mkdir(exist_ok=True)
        (root / f"data/{name}.parquet").touch()
    (warning,) = opened(root).warnings
    assert warning.file == str(root / f"data/{names[0]}.parquet")
    assert f"left out: {listing} has no episode in this file (nor in 1 more file)" in str(warning)


def test_rows_without_an_image_are_said(tmp_path: Path) -> None:
    root = Recording(version="v2.1", images="png").write(tmp_path / "set")
    empty = {"bytes": None, "path": None}
    for cells in ((column(WRIST, 3, empty), column(WRIST, 5, empty)), (column(WRIST, 4, None),)):
        for change in cells:
            retable(root / V2_DATA, change)
    retable(root / V2_DATA.replace("1.parquet", "2.parquet"), column(WRIST, 0, empty))
    (warning,) = opened(root).warnings
    assert warning.key == WRIST and warning.file == str(root / V2_DATA)
    assert "3 of its 12 rows have no image" in str(warning) and "(and so in 1 more file)" in str(warning)
    assert opened(Recording(images="path").write(tmp_path / "files")).warnings == []


def test_depth_is_listed_and_left_alone(tmp_path: Path) -> None:
    root = Recording(lengths=(3,)).write(tmp_path / "set")
    info = layouts.read_info(root)
    info["features"][WRIST]["info"] = {"video.is_depth_map": True}
    layouts.change_info(root, **info)
    array = opened(root).episodes[0].arrays[WRIST]
    assert array.kind == "other" and "depth" in array.note
    grey = Recording(
        lengths=(3,),
        codec={"codec": "libx265", "pix_fmt": "gray12le", "options": {"x265-params": "log-level=none"}},
    ).write(tmp_path / "grey")
    assert {opened(grey).episodes[0].arrays[key].kind for key in (FRONT, WRIST)} == {"other"}


@pytest.mark.parametrize("tasks", [3.5, "push the block", None])
def test_tasks_that_are_no_list(tasks: Any, tmp_path: Path) -> None:
    root = Recording(images="png").write(tmp_path / "set")
    retable(root / V3_TABLE, lambda columns: columns.update(tasks=[tasks] * 3))
    assert opened(root).episodes[0].tasks == ("push the block",)  # by the index in its rows


def test_time_stamps_that_are_no_numbers_are_said_and_a_mark_before_json_is_not(tmp_path: Path) -> None:
    root = Recording(version="v2.1", images="png").write(tmp_path / "set")
    retable(root / V2_DATA, column("timestamp", 2, float("nan")))
    tasks = root / "meta/tasks.jsonl"
    tasks.write_bytes(b"\xef\xbb\xbf" + tasks.read_bytes())
    said = [str(warning) for warning in opened(root).warnings]
    assert len(said) == 1 and "timestamp has values that are not finite" in said[0]


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_an_episode_without_a_step_is_left_out(version: str, tmp_path: Path) -> None:
    root = Recording((4, 0, 3), version=version, images="png").write(tmp_path / "set")
    source = opened(root)
    assert [(episode.name, episode.arrays["action"].rows) for episode in source.episodes] == [
        ("episode_000000", 4),
        ("episode_000002", 3),
    ]
    assert any(str(one).endswith("episode_000001: it has 0 steps and is left out") for one in source.warnings)
    with pytest.raises(UserError, match="1 episode, all without a step"):
        opened(Recording((0,), version=version, images="png").write(tmp_path / "none"))
