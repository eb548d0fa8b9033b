"""Places of episodes in shared videos and in the whole set that version 3.0 states, and that cannot be."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from tests.datasets.lerobot.layouts import FRONT, Recording, opened
from tests.datasets.lerobot.spoiling import V3_TABLE, retable

FROM, TO = f"videos/{FRONT}/from_timestamp", f"videos/{FRONT}/to_timestamp"


def changed(folder: Path, **columns: list[Any]) -> Path:
    root = Recording().write(folder / "set")  # of 7, 12 and 9 rows, 10 a second
    retable(root / V3_TABLE, lambda table: table.update(columns))
    return root


@pytest.mark.parametrize("begins", [[0.0, 0.0, 0.0], [0.0, 0.6, 1.9], [0.0, 0.7, 0.2]])
def test_episodes_that_share_frames_of_a_video_are_refused(tmp_path: Path, begins: list[float]) -> None:
    root = changed(tmp_path, **{FROM: begins})
    with pytest.raises(UserError, match=r"file-000.mp4: its frames begin at .* correct from_timestamp"):
        open_dataset(root)
    assert list(open_dataset(root, cameras=["wrist"]).cameras) == ["wrist"]


def test_rounding_and_gaps_are_no_overlap(tmp_path: Path) -> None:
    root = changed(tmp_path, **{FROM: [0.0, 0.66, 1.94], TO: [0.7, 1.9, 2.84]})
    assert opened(root).warnings == []
    assert {one.arrays[FRONT].kind for one in opened(root).episodes} == {"frames"}


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({TO: [99.0, 1.9, 9.0]}, "to_timestamp is 99 s and .* expected 0.7 s .* 7 rows .and 1 more episode"),
        ({TO: [0.7, float("nan"), 2.8]}, "episode_000001, .*to_timestamp is nan s"),
        (
            {"dataset_from_index": [7, 0, 19], "dataset_to_index": [14, 12, 28]},
            "episode_000000: dataset_from_index is 7; its rows begin at index 0: .*and 1 more episode",
        ),
        ({"dataset_to_index": [7, 20, 28]}, "episode_000001: dataset_to_index is 20; expected 19"),
    ],
)
def test_places_that_contradict_the_rows_are_said_once(
    tmp_path: Path, columns: dict[str, list[Any]], told: str
) -> None:
    warnings = opened(changed(tmp_path, **columns)).warnings
    assert len(warnings) == 1
    assert re.search(told, str(warnings[0]))


def test_places_that_are_not_stated_are_not_missed(tmp_path: Path) -> None:
    none: list[Any] = [None] * 3
    root = changed(tmp_path, **{TO: none}, dataset_from_index=none, dataset_to_index=none)
    assert opened(root).warnings == []


def with_times(root: Path, time: Callable[[int, int], float], episodes: int = 3) -> Path:
    """Each row's time stamp by its number in the set and in its episode; only these episodes are kept."""

    def change(columns: dict[str, list[Any]]) -> None:
        kept = [i for i, episode in enumerate(columns["episode_index"]) if episode < episodes]
        for key, values in columns.items():
            columns[key] = [values[i] for i in kept]
        numbers = zip(columns["index"], columns["frame_index"], strict=True)
        columns["timestamp"] = [time(*pair) for pair in numbers]

    def first(columns: dict[str, list[Any]]) -> None:
        for key, values in columns.items():
            columns[key] = values[:episodes]

    for path in root.glob("data/*/*.parquet"):
        retable(path, change)
    retable(root / V3_TABLE, first)
    return root


@pytest.mark.parametrize("episodes", [3, 2])  # of two: the third's frames are still in the video
def test_time_stamps_that_go_on_over_the_episodes_are_refused(tmp_path: Path, episodes: int) -> None:
    root = with_times(Recording().write(tmp_path / "set"), lambda index, _: index / 10, episodes)
    told = r"rows would get frames of another episode; .* begin at 0 in each episode"
    with pytest.raises(UserError, match=told):
        open_dataset(root)


@pytest.mark.parametrize("off_s", [0.03, -0.03])
def test_time_stamps_in_the_own_part_of_a_video_are_accepted(tmp_path: Path, off_s: float) -> None:
    root = with_times(Recording().write(tmp_path / "set"), lambda _, frame: frame / 10 + off_s)
    assert {one.arrays[FRONT].kind for one in opened(root).episodes} == {"frames"}


def test_a_wrong_end_alone_refuses_nothing(tmp_path: Path) -> None:
    root = changed(tmp_path, **{TO: [0.1, 0.8, 2.0]})
    assert {one.arrays[FRONT].kind for one in opened(root).episodes} == {"frames"}
