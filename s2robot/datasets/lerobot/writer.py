"""Write a LeRobot dataset of version 3.0 that LeRobot itself loads, episode by episode and in pieces.

Everything is written into a folder beside the target, which gets the target's name once it is complete.

    with LeRobotWriter(out, features, fps=20) as writer:
        with writer.episode("push the block") as episode:
            episode.add({"action": actions, "observation.state": state, "observation.images.top": frames})
        writer.finish()
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from s2robot.datasets.lerobot import encoding
from s2robot.datasets.lerobot.assembly import DATA_MIB, MIB, VIDEO_MIB, Assembly
from s2robot.datasets.lerobot.columns import schema_of
from s2robot.datasets.lerobot.encoding import VideoWriter
from s2robot.datasets.lerobot.episode_rows import NUMBERING, EpisodeRows
from s2robot.datasets.lerobot.files import expand
from s2robot.datasets.lerobot.info import VIDEO_PATH, Feature
from s2robot.errors import UserError
from s2robot.files import scratch_name


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
        if not (fps >= 1 and float(fps).is_integer()):
            raise UserError(f"{fps:g} frames a second: LeRobot's version 3.0 has whole numbers from 1 on")
        for key, feature in features.items():
            _check(key, feature)
        self.out, self.fps, self._robot_type = out, int(fps), robot_type
        self._asked = features
        self.features = {**features, **NUMBERING}
        self._folder = scratch_name(out)
        self._folder.mkdir(parents=True)
        self._set = Assembly(self._folder, schema_of(self.features), self.features, file_mib[0])
        videos = [key for key, feature in features.items() if feature.dtype == "video"]
        self._videos = {key: self._video(key, int(file_mib[1] * MIB)) for key in videos}

    def __enter__(self) -> "LeRobotWriter":
        return self

    def __exit__(self, *error: object) -> None:
        """Without `finish` nothing is left."""
        self._set.abandon()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def episode(
        self,
        task: str = "",
        arrays: Mapping[str, np.ndarray] | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> Iterator[EpisodeRows]:
        """Write the next episode; `arrays` and `info` are kept in `extras`, see `extras.Extras`."""
        new = self._set
        new.data.begin()
        for video in self._videos.values():
            video.begin()
        numbers = {"episode_index": new.episodes, "task_index": new.task_index(task)}
        rows = EpisodeRows(new.name, self._asked, new.rows, self.fps, numbers, new.data, self._videos)
        yield rows
        stats = rows.finish()
        places = {key: video.place() for key, video in self._videos.items()}
        new.end_episode(rows.count, [task], places, stats, arrays or {}, info or {})

    def finish(
        self, meta: Mapping[str, Any] | None = None, masks: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Write what belongs to the whole set and give it its name.

        `meta` (env_args, ...) and `masks` (filter key -> names, see `episode_name`) go to `extras`.
        """
        if not self._set.episodes:
            raise UserError(f"{self.out}: a dataset without episodes cannot be written")
        for video in self._videos.values():
            video.close()
        features = {key: self._declared(feature) for key, feature in self.features.items()}
        info = {"robot_type": self._robot_type, "fps": self.fps, "features": features}
        self._set.finish(info, meta or {}, masks or {})
        try:
            self._folder.rename(self.out)
        except OSError as error:
            raise UserError(f"{self.out} appeared while it was written: {error}") from error

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
