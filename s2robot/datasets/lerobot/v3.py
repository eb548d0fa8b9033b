"""Version 3.0: many episodes a file; tables say where each lies, for data and for every camera on its own."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2robot.datasets.lerobot.files import Folder, expand
from s2robot.datasets.lerobot.info import INFO, Info, check_layout
from s2robot.datasets.lerobot.stated import Clip, Stated, in_order, tasks_of, texts, whole
from s2robot.datasets.lerobot.tables import read_table
from s2robot.errors import UserError

EPISODES = "meta/episodes"
TASKS = "meta/tasks.parquet"
OF_V2 = "meta/episodes.jsonl"
INDEX_NAMES = ("task", "__index_level_0__")  # the text is the table's index in pandas, named or not


def read_episodes(folder: Folder, info: Info) -> list[Stated]:
    """The episodes of all tables below `meta/episodes`, in order."""
    check_layout(folder, EPISODES, OF_V2, info.version)
    where = folder.root / EPISODES
    episodes = []
    for path in sorted(where.glob("*/*.parquet")):
        folder.inside(str(path.relative_to(folder.root)), str(where))
        episodes += [_episode(folder, info, row, path) for row in read_table(path, skip_prefix="stats/")]
    return in_order(episodes, str(where))


def read_tasks(folder: Folder) -> dict[int, str]:
    """Task texts by their index, whichever column holds the text."""
    path = folder.inside(TASKS, str(folder.root))
    rows = read_table(path)
    if not rows:
        return {}
    texts = [key for key in rows[0] if any(isinstance(row[key], str) for row in rows)]
    known = [key for key in INDEX_NAMES if key in texts]
    if not known and len(texts) != 1:
        raise UserError(f"{path}: found text columns {texts}; expected one named {' or '.join(INDEX_NAMES)}")
    column = known[0] if known else texts[0]
    return tasks_of(rows, column, str(path))


def _episode(folder: Folder, info: Info, row: dict[str, Any], path: Path) -> Stated:
    index = whole(row, "episode_index", str(path))
    where = f"{path}, episode {index}"
    stated_in = str(folder.root / INFO)

    def file(template: str, numbers: Mapping[str, int], camera: str | None) -> Path:
        return folder.inside(expand(template, numbers, camera, stated_in), stated_in)

    clips, unplaced = {}, {}
    for key in info.videos:
        try:
            numbers, start_s = _numbers(row, f"videos/{key}", where), _start_s(row, key, where)
        except UserError as error:  # of a camera that may not be used
            unplaced[key] = str(error)
            continue
        clips[key] = Clip(file(info.video_path, numbers, key), start_s, _end_s(row, key))
    return Stated(
        index=index,
        length=whole(row, "length", where),
        data=file(info.data_path, _numbers(row, "data", where), None),
        clips=clips,
        tasks=texts(row.get("tasks")),
        unplaced=unplaced,
        bounds=(row.get("dataset_from_index"), row.get("dataset_to_index")),
    )


def _numbers(row: dict[str, Any], prefix: str, where: str) -> dict[str, int]:
    """Of the file that holds an episode."""
    return {key: whole(row, f"{prefix}/{key}", where) for key in ("chunk_index", "file_index")}


def _start_s(row: dict[str, Any], camera: str, where: str) -> float:
    start = row.get(f"videos/{camera}/from_timestamp")
    if not isinstance(start, int | float) or not math.isfinite(start) or start < 0:
        raise UserError(f"{where}: videos/{camera}/from_timestamp is {start!r}; expected seconds from 0 on")
    return float(start)


def _end_s(row: dict[str, Any], camera: str) -> float | None:
    end = row.get(f"videos/{camera}/to_timestamp")
    return None if end is None else float(end) if isinstance(end, int | float) else math.nan
