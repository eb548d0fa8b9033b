"""Versions 2.0 and 2.1: one parquet file an episode, and one MP4 an episode and camera."""

from typing import Any

from s2robot.datasets.lerobot.files import Folder, expand
from s2robot.datasets.lerobot.info import INFO, Info, check_layout
from s2robot.datasets.lerobot.stated import Clip, Stated, in_order, tasks_of, texts, whole

EPISODES = "meta/episodes.jsonl"
TASKS = "meta/tasks.jsonl"
OF_V3 = "meta/episodes"


def read_episodes(folder: Folder, info: Info) -> list[Stated]:
    """The episodes of `meta/episodes.jsonl`, in order."""
    check_layout(folder, EPISODES, OF_V3, info.version)
    where = str(folder.root / EPISODES)
    return in_order([_episode(folder, info, row, where) for row in folder.json_lines(EPISODES)], where)


def read_tasks(folder: Folder) -> dict[int, str]:
    """Task texts by their index."""
    where = str(folder.root / TASKS)
    return tasks_of(folder.json_lines(TASKS), "task", where)


def _episode(folder: Folder, info: Info, row: dict[str, Any], where: str) -> Stated:
    index = whole(row, "episode_index", where)
    numbers = {"episode_chunk": index // info.chunks_size, "episode_index": index}
    stated_in = str(folder.root / INFO)

    def path(template: str, camera: str | None) -> str:
        return expand(template, numbers, camera, stated_in)

    videos = {key: Clip(folder.inside(path(info.video_path, key), stated_in)) for key in info.videos}
    return Stated(
        index=index,
        length=whole(row, "length", f"{where}, episode {index}"),
        data=folder.inside(path(info.data_path, None), stated_in),
        clips=videos,
        tasks=texts(row.get("tasks")),
    )
