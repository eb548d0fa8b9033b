"""Write a LeRobot dataset of version 3.0 that LeRobot itself loads, episode by episode and in pieces.

Everything is written into a folder beside the target, which gets the target's name once it is complete.

    with LeRobotWriter(out, features, fps=20) as writer:
        with writer.episode("push the block") as episode:
            episode.add({"action": actions, "observation.state": state, "observation.images.top": frames})
        writer.finish()
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from s2robot.datasets.lerobot import encoding
from s2robot.datasets.lerobot.columns import schema_of
from s2robot.datasets.lerobot.data_files import DataFiles
from s2robot.datasets.lerobot.encoding import VideoWriter
from s2robot.datasets.lerobot.episode_rows import NUMBERING, EpisodeRows
from s2robot.datasets.lerobot.extras import ExtrasWriter
from s2robot.datasets.lerobot.files import expand
from s2robot.datasets.lerobot.info import CHUNKS_SIZE, DATA_PATH, INFO, VIDEO_PATH, Feature
from s2robot.datasets.lerobot.stated import episode_name
from s2robot.datasets.lerobot.stats import Stats, merged
from s2robot.datasets.lerobot.tabulated import EpisodesTable, write_tasks
from s2robot.errors import UserError
from s2robot.files import scratch_name

MIB = 1 << 20
DATA_MIB, VIDEO_MIB = 100, 200  # LeRobot's limits of a file


class LeRobotWriter:
    """A new dataset. A feature's dtype is "video", "image" (exact: PNG), "string" or NumPy's name."""

    def __init__(
        self,
        out: Path,
        features: Mapping[str, Feature],
        fps: float,
        robot_type: str | None = None,
        file_mib: tuple[float, float] = (DATA_MIB, VIDEO_MIB),
    ) -> None:
        """`file_mib`: size at which a new data file, a new video begins.

        Raises `UserError` if `out` is there, and for features and rates that LeRobot cannot take.
        """
        if out.exists():
            raise UserError(f"{out} is there already; delete it or choose another name")
        if fps != int(fps) or fps < 1:
            raise UserError(f"{fps:g} frames a second: LeRobot's version 3.0 has whole numbers from 1 on")
        for key, feature in features.items():
            _check(key, feature)
        self.out, self.fps, self._robot_type = out, int(fps), robot_type
        self._asked = features
        self.features = {**features, **NUMBERING}
        self._folder = scratch_name(out)
        self._folder.mkdir(parents=True)
        self._extras = ExtrasWriter(self._folder)
        self._data = DataFiles(self._folder, schema_of(self.features), int(file_mib[0] * MIB))
        videos = [key for key, feature in features.items() if feature.dtype == "video"]
        self._videos = {key: self._video(key, int(file_mib[1] * MIB)) for key in videos}
        self._table = EpisodesTable(self._folder, self.features)
        self._tasks: dict[str, int] = {}
        self._stats: dict[str, Stats] = {}
        self._rows = self._episodes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Without `finish` nothing is left."""
        self._data.abandon()
        self._table.abandon()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def episode(
        self,
        task: str = "",
        arrays: Mapping[str, np.ndarray] | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> Iterator[EpisodeRows]:
        """Write the next episode; `arrays` and `info` are kept in `extras`, see `extras.Extras`."""
        name, first = episode_name(self._episodes), self._rows
        self._data.begin()
        for video in self._videos.values():
            video.begin()
        numbers = {
            "episode_index": self._episodes,
            "task_index": self._tasks.setdefault(task, len(self._tasks)),
        }
        rows = EpisodeRows(name, self._asked, first, self.fps, numbers, self._data, self._videos)
        yield rows
        stats = rows.finish()
        self._extras.episode(name, arrays or {}, info or {})
        self._rows += rows.count
        places: dict[str, int | float] = {f"data/{key}": value for key, value in self._data.place().items()}
        for key, video in self._videos.items():
            places |= {f"videos/{key}/{name}": place for name, place in video.place().items()}
        places |= {"dataset_from_index": first, "dataset_to_index": self._rows, "length": rows.count}
        self._table.add({"episode_index": self._episodes, "tasks": [task], **places}, stats)
        self._stats = {
            key: merged(self._stats[key], one) if key in self._stats else one for key, one in stats.items()
        }
        self._episodes += 1

    def finish(
        self, meta: Mapping[str, Any] | None = None, masks: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Write what belongs to the whole set and give it its name.

        `meta` (env_args, ...) and `masks` (filter key -> names, see `episode_name`) go to `extras`.
        """
        if not self._episodes:
            raise UserError(f"{self.out}: a dataset without episodes cannot be written")
        self._data.close()
        self._table.close()
        for video in self._videos.values():
            video.close()
        self._extras.finish(meta or {}, masks or {})
        write_tasks(self._folder, list(self._tasks))
        stats = {
            key: {name: value.tolist() for name, value in one.items()} for key, one in self._stats.items()
        }
        self._write_json("meta/stats.json", stats)
        self._write_json(INFO, self._info())
        try:
            self._folder.rename(self.out)
        except OSError as error:
            raise UserError(f"{self.out} appeared while it was written: {error}") from error

    def _info(self) -> dict[str, Any]:
        return {
            "codebase_version": "v3.0",
            "robot_type": self._robot_type,
            "total_episodes": self._episodes,
            "total_frames": self._rows,
            "total_tasks": len(self._tasks),
            "chunks_size": CHUNKS_SIZE,
            "data_files_size_in_mb": DATA_MIB,
            "video_files_size_in_mb": VIDEO_MIB,
            "fps": self.fps,
            "splits": {"train": f"0:{self._episodes}"},
            "data_path": DATA_PATH["3"],
            "video_path": VIDEO_PATH["3"] if self._videos else None,
            "features": {key: self._declared(feature) for key, feature in self.features.items()},
        }

    def _declared(self, feature: Feature) -> dict[str, Any]:
        names = ["height", "width", "channels"] if feature.is_camera else feature.names
        declared = {"dtype": feature.dtype, "shape": list(feature.shape), "names": names}
        if feature.dtype == "video":
            declared["info"] = encoding.described(feature.shape[0], feature.shape[1], self.fps)
        return declared

    def _video(self, key: str, limit_bytes: int) -> VideoWriter:
        def path(place: Mapping[str, int]) -> Path:
            return self._folder / expand(VIDEO_PATH["3"], place, key, key)

        return VideoWriter(path, self.fps, limit_bytes)

    def _write_json(self, name: str, content: Mapping[str, Any]) -> None:
        (self._folder / name).write_text(json.dumps(content, indent=4))


def _check(key: str, feature: Feature) -> None:
    """Raise `UserError` for a feature that LeRobot, or its encoding here, cannot take."""
    if "/" in key or key in NUMBERING:
        raise UserError(f"{key!r} cannot be the name of a LeRobot feature")
    if "image" in key and not feature.is_camera:
        raise UserError(f"{key}: LeRobot takes every feature with 'image' in its name for a camera")
    if feature.is_camera and (len(feature.shape) != 3 or feature.shape[2] != 3):
        raise UserError(f"{key}: a camera's shape is (height, width, 3), not {feature.shape}")
    if feature.dtype == "video":
        encoding.check_size(key, feature.shape[0], feature.shape[1])
