"""What the episodes of a new set have in common: data files, tables, tasks, statistics, extras."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from s2robot.datasets.lerobot.data_files import DataFiles
from s2robot.datasets.lerobot.extras import ExtrasWriter
from s2robot.datasets.lerobot.info import CHUNKS_SIZE, DATA_PATH, INFO, VIDEO_PATH, Feature
from s2robot.datasets.lerobot.stated import episode_name
from s2robot.datasets.lerobot.stats import Stats, merged
from s2robot.datasets.lerobot.tabulated import EpisodesTable, write_tasks

MIB = 1 << 20
DATA_MIB, VIDEO_MIB = 100, 200  # LeRobot's limits of a file

Places = Mapping[str, Mapping[str, int | float]]  # of an episode in the videos of each camera


class Assembly:
    """A folder that becomes a set of version 3.0, episode by episode."""

    def __init__(
        self, folder: Path, schema: pa.Schema, features: Mapping[str, Feature], data_mib: float = DATA_MIB
    ) -> None:
        """`schema` of the data files; `features` with those that number rows."""
        self._folder = folder
        self.rows = self.episodes = 0
        self.data = DataFiles(folder, schema, int(data_mib * MIB))
        self._extras = ExtrasWriter(folder)
        self._table = EpisodesTable(folder, features)
        self._tasks: dict[str, int] = {}
        self._stats: dict[str, Stats] = {}

    @property
    def name(self) -> str:
        """Name of the episode that is being written."""
        return episode_name(self.episodes)

    def task_index(self, text: str) -> int:
        """Index of a task text, a new one if it is new."""
        return self._tasks.setdefault(text, len(self._tasks))

    def end_episode(
        self,
        count: int,
        tasks: Sequence[str],
        videos: Places,
        stats: Mapping[str, Stats],
        arrays: Mapping[str, np.ndarray],
        info: Mapping[str, Any],
    ) -> None:
        """Note where an episode of `count` rows is; `arrays` and `info` are kept in `extras`."""
        self._extras.episode(self.name, arrays, info)
        first, self.rows = self.rows, self.rows + count
        places: dict[str, int | float] = {f"data/{key}": value for key, value in self.data.place().items()}
        for key, video in videos.items():
            places |= {f"videos/{key}/{name}": place for name, place in video.items()}
        places |= {"dataset_from_index": first, "dataset_to_index": self.rows, "length": count}
        self._table.add({"episode_index": self.episodes, "tasks": list(tasks), **places}, stats)
        self._stats |= {
            key: merged(self._stats[key], one) if key in self._stats else one for key, one in stats.items()
        }
        self.episodes += 1

    def finish(
        self, info: Mapping[str, Any], meta: Mapping[str, Any], masks: Mapping[str, Sequence[str]]
    ) -> None:
        """Write what belongs to the whole set. `info` of `meta/info.json`, counts and paths are added."""
        self.data.close()
        self._table.close()
        self._extras.finish(meta, masks)
        write_tasks(self._folder, list(self._tasks))
        stats = {
            key: {name: value.tolist() for name, value in one.items()} for key, one in self._stats.items()
        }
        self._write_json("meta/stats.json", stats)
        has_videos = any(feature["dtype"] == "video" for feature in info["features"].values())
        counted = {
            "codebase_version": "v3.0",
            "robot_type": None,
            "total_episodes": self.episodes,
            "total_frames": self.rows,
            "total_tasks": len(self._tasks),
            "chunks_size": CHUNKS_SIZE,
            "data_files_size_in_mb": DATA_MIB,
            "video_files_size_in_mb": VIDEO_MIB,
            "splits": {"train": f"0:{self.episodes}"},
            "data_path": DATA_PATH["3"],
            "video_path": VIDEO_PATH["3"] if has_videos else None,
        }
        self._write_json(INFO, {**counted, **info})

    def abandon(self) -> None:
        """Write no more: after an error closing files would only fail as well."""
        self.data.abandon()
        self._table.abandon()

    def _write_json(self, name: str, content: Mapping[str, Any]) -> None:
        (self._folder / name).write_text(json.dumps(content, indent=4))
