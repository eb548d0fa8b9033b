"""The rows of one episode on their way into the files of a dataset that is being written."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from s2robot.datasets.lerobot.columns import column, fitting
from s2robot.datasets.lerobot.data_files import DataFiles
from s2robot.datasets.lerobot.encoding import VideoWriter
from s2robot.datasets.lerobot.info import INDEX_COLUMNS, Feature
from s2robot.datasets.lerobot.stats import FrameStats, Stats, of_numbers
from s2robot.errors import UserError

IMAGE_ROWS = 64  # images in a row group: a reader holds one in memory
NUMBERING = {key: Feature("float32" if key == "timestamp" else "int64", (1,)) for key in INDEX_COLUMNS}


class EpisodeRows:
    """The rows of the episode that is being written."""

    def __init__(
        self,
        name: str,
        features: Mapping[str, Feature],
        first: int,
        fps: int,
        numbers: Mapping[str, int],
        data: DataFiles,
        videos: Mapping[str, VideoWriter],
    ) -> None:
        self.name, self.count = name, 0
        self._features, self._first, self._fps, self._numbers = features, first, fps, numbers
        self._data, self._videos = data, videos
        self._images = any(feature.dtype == "image" for feature in features.values())
        self._frames = {key: FrameStats() for key, feature in features.items() if feature.is_camera}
        self._seen: dict[str, list[np.ndarray]] = {}  # all numbers of the episode, for its statistics
        self._waiting: list[pa.Table] = []

    def add(self, rows: Mapping[str, np.ndarray]) -> None:
        """Append rows "t ..." of every feature; frames are uint8 "t h w 3". Raises `UserError` for others."""
        lengths = {key: len(values) for key, values in rows.items()}
        if lengths.keys() != self._features.keys() or len(set(lengths.values())) != 1:
            raise UserError(
                f"{self.name}: found rows {lengths}; expected as many of each of {', '.join(self._features)}"
            )
        count = next(iter(lengths.values()))
        for start in range(0, count, IMAGE_ROWS):
            self._add({key: values[start : start + IMAGE_ROWS] for key, values in rows.items()})

    def finish(self) -> dict[str, Stats]:
        """Write what waits; the statistics of the episode."""
        if not self.count:
            raise UserError(f"{self.name} has no rows; LeRobot has no empty episodes")
        if self._waiting:
            self._data.write(pa.concat_tables(self._waiting))
        stats = {key: frames.result() for key, frames in self._frames.items()}
        return stats | {key: of_numbers(np.concatenate(parts)) for key, parts in self._seen.items()}

    def _add(self, rows: Mapping[str, np.ndarray]) -> None:
        columns = {}
        for key, feature in self._features.items():
            values = rows[key]
            if feature.is_camera:
                _check_frames(values, feature, f"{self.name}, {key}")
                self._frames[key].add(values)
            elif feature.dtype != "string":
                values = fitting(key, feature, values, self.name)
                self._seen.setdefault(key, []).append(values)
            if feature.dtype == "video":
                self._videos[key].add(values)
            else:
                columns[key] = column(feature, values)
        count = len(next(iter(rows.values())))
        numbers = self._numbering(count)
        for key, values in numbers.items():
            self._seen.setdefault(key, []).append(values)
            columns[key] = column(NUMBERING[key], values)
        self._waiting.append(pa.table(columns))
        if self._images:
            self._data.write(self._waiting.pop())
        self.count += count

    def _numbering(self, count: int) -> dict[str, np.ndarray]:
        frame = np.arange(self.count, self.count + count)
        numbers = {key: np.full(count, number) for key, number in self._numbers.items()}
        numbers |= {"frame_index": frame, "index": frame + self._first}
        return numbers | {"timestamp": (frame / self._fps).astype(np.float32)}


def _check_frames(frames: np.ndarray, feature: Feature, where: str) -> None:
    if frames.dtype != np.uint8 or frames.shape[1:] != feature.shape:
        raise UserError(
            f"{where}: found {frames.dtype} of shape {frames.shape[1:]}; expected uint8 of {feature.shape}"
        )
