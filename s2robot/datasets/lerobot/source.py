"""A LeRobot folder as a `Source`: numbers from parquet, frames from video or from images in parquet."""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from s2robot.datasets.lerobot.catalogue import Catalogue
from s2robot.datasets.lerobot.extras import EXTRA, EXTRAS, Extras
from s2robot.datasets.lerobot.files import Folder
from s2robot.datasets.lerobot.images import ImageColumn
from s2robot.datasets.lerobot.info import INFO, read_info
from s2robot.datasets.lerobot.tables import Table
from s2robot.datasets.lerobot.video import Video
from s2robot.datasets.opened import Opened
from s2robot.datasets.options import DataConfig
from s2robot.datasets.problem import Problem
from s2robot.errors import UserError, unknown_name

log = logging.getLogger(__name__)

OBSERVATION = "observation."
ACTION_KEYS = ("action", "actions")  # LeRobot's own name, and that of openpi's scripts
EXECUTED = EXTRA + "actions_executed"
OPEN_FILES = 4  # of a kind: cameras are read one after the other, seldom side by side
NEARBY_FRAMES = 2.5  # within which a camera of another rate may be; a tolerance beyond repeats one frame
SPARE_S, SPARE_PART = 0.5, 0.1  # of an episode, that its video may go on after it; more is told
WARN_DEVIATION_S = 1e-4  # LeRobot refuses beyond this


class LeRobot:
    """An opened folder of version 2.0, 2.1 or 3.0.

    Frames are those whose presentation time is nearest to the row's `timestamp`. A deviation beyond
    `data.tolerance_s` is refused (null: half a frame), one above 0.1 ms is reported in `warnings`, and
    `worst_deviation_s` has the largest one of each camera that was read.
    """

    format = "lerobot"
    upright = True

    def __init__(self, path: Path, options: DataConfig) -> None:
        """Reads metadata and the columns that number rows. Raises `UserError` for what is no such dataset."""
        self.path = path
        self.folder = Folder(path, options.allow_links or ())
        meta = read_info(self.folder)
        self.meta = meta
        self.version, self.fps = meta.version, meta.fps
        self._tolerance_s = 0.5 / meta.fps if options.tolerance_s is None else options.tolerance_s
        self.extras = Extras(self.folder)
        self.catalogue = Catalogue(self.folder, meta, self.extras)
        self.episodes = self.catalogue.episodes
        self.masks: Mapping[str, Sequence[str]] = self.catalogue.masks()
        self.warnings: list[Problem] = self.catalogue.warnings
        self.errors: Sequence[Problem] = self.catalogue.errors
        self.worst_deviation_s: dict[str, float] = {}
        env = self.extras.meta.get("env_args")
        self.env_args: Mapping[str, Any] | None = env if isinstance(env, dict) else None
        self.env_problem = f"env_args in {EXTRAS} is no JSON object" if env and not self.env_args else ""
        self.info: Mapping[str, Any] = {**self.extras.meta, "robot_type": meta.robot_type}
        prefixed = any(key.startswith(OBSERVATION) for key in meta.features)
        self.observations = OBSERVATION if prefixed else ""  # sets that openpi's scripts made have none
        self.actions = next((key for key in ACTION_KEYS if key in meta.features), None)
        if self.actions is None and options.actions is None:
            self._check_undeclared()
        everywhere = all(EXECUTED in episode.arrays for episode in self.episodes)
        self.executed_actions = EXECUTED if everywhere else None
        self._longer: set[str] = set()  # cameras of which a video was found to be longer than its episode
        self._lock = threading.Lock()
        self._tables: Opened[Table] = Opened(OPEN_FILES)
        self._videos: Opened[Video] = Opened(OPEN_FILES)
        self._images: Opened[ImageColumn] = Opened(OPEN_FILES)

    def read(self, episode: int, key: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows start to stop of an array; frames as uint8 "t h w 3". Reading on in order is cheapest."""
        own = self.episodes[episode]
        if key not in own.arrays:
            raise unknown_name("array", key, own.arrays, f"{self.path}, {own.name},")
        recorded = own.arrays[key]
        if recorded.kind == "other":
            raise UserError(str(Problem(recorded.note or recorded.dtype, str(own.file), own.name, key)))
        if part := self.catalogue.parts.by_key.get(key):
            return self.read(episode, part.of, start, stop)[:, part.start : part.end]
        start, stop, _ = slice(start, stop).indices(recorded.rows)
        stop = max(start, stop)
        with self._lock:
            if key.startswith(EXTRA):
                return self.extras.array(own.name, key.removeprefix(EXTRA))[start:stop]
            if recorded.kind == "numbers":
                return self._numbers(episode, key, start, stop).reshape(stop - start, *recorded.shape)
            frames = self._frames(episode, key, start, stop)
        if frames.shape[1:] != recorded.shape and len(frames):
            told = f"frames are {frames.shape[1:]}; expected {recorded.shape} as in {self.episodes[0].name}"
            raise UserError(str(Problem(told, str(own.file), own.name, key)))
        return frames.reshape(-1, *recorded.shape)

    def identity(self, episode: int, key: str) -> str:
        """Path, size and times of the files that hold the array, and where in them it is."""
        stated, rows = self.catalogue.stated[episode], self.catalogue.rows[episode]
        if key.startswith(EXTRA):
            return f"{key} {_stamp(self.extras.arrays_file(stated.name))}"
        part = self.catalogue.parts.by_key.get(key, "")
        place = f"{key} {part}{_stamp(stated.data)} {rows.first} {rows.count}"
        if key in stated.clips:
            clip = stated.clips[key]
            return f"{place} {_stamp(clip.file)} {clip.start_s!r} {self.fps!r}"
        return place

    def ends(self) -> Iterator[tuple[int, str]]:
        """Episode and camera's key of the last frames of each video; see `HasVideos`."""
        last: dict[tuple[Path, str], tuple[float, int]] = {}
        for i, one in enumerate(self.catalogue.stated):
            for key, clip in one.clips.items():
                place = clip.start_s, i
                last[clip.file, key] = max(place, last.get((clip.file, key), place))
        yield from ((i, key) for (_, key), (_, i) in last.items())

    def close(self) -> None:
        self._tables.close()
        self._videos.close()
        self._images.close()

    def _check_undeclared(self) -> None:
        """Raise `UserError` for actions among the data that the metadata do not have."""
        for key in self.catalogue.columns.intersection(ACTION_KEYS):
            raise UserError(
                f"{self.path / INFO}: 'features' lack {key!r}, a column of the data; expected its dtype and "
                f"shape there: add them, or choose other actions with data.actions=[KEY]"
            )

    def _numbers(self, episode: int, key: str, start: int, stop: int) -> np.ndarray:
        stated, rows = self.catalogue.stated[episode], self.catalogue.rows[episode]
        table = self._tables.get(stated.data, lambda: Table(stated.data))
        values = table.numbers(key, rows.first + start, rows.first + stop)
        expected = self.episodes[episode].arrays[key].shape if key in self.episodes[episode].arrays else ()
        if len(values) and values[:1].size != int(np.prod(expected)):
            told = f"rows have shape {values.shape[1:]}; expected {expected} as {INFO} says"
            raise UserError(str(Problem(told, str(stated.data), stated.name, key)))
        return values

    def _frames(self, episode: int, key: str, start: int, stop: int) -> np.ndarray:
        stated, rows = self.catalogue.stated[episode], self.catalogue.rows[episode]
        if key in stated.clips:
            return self._video_frames(episode, key, start, stop)

        def open_() -> ImageColumn:
            return ImageColumn(self.folder, stated.data, key)

        return self._images.get((stated.data, key), open_).read(rows.first + start, rows.first + stop)

    def _video_frames(self, episode: int, key: str, start: int, stop: int) -> np.ndarray:
        stated = self.catalogue.stated[episode]
        clip = stated.clips[key]

        def open_() -> Video:
            video = Video(clip.file, self.fps, self.catalogue.begins_s[clip.file])
            self._compare(video, episode, key)
            return video

        times_s = clip.start_s + self._times_s(episode, start, stop)
        opened = (clip.file, key)
        try:
            frames, off_s = self._videos.get(opened, open_).read(times_s)
        except UserError as error:
            self._videos.drop(opened)
            raise UserError(f"{stated.name}, {key}: {error}") from error
        worst = float(off_s.max(initial=0.0))
        if worst > self._tolerance_s:
            row = int(off_s.argmax())
            raise UserError(
                f"{stated.name}, {key}: {clip.file}: no frame within {self._tolerance_s:.4g} s of row "
                f"{start + row} (at {times_s[row]:.4f} s in the file); the nearest is {worst:.4g} s away. "
                f"{self._advice(worst)}"
            )
        self._report(key, stated.name, clip.file, worst)
        return frames

    def _compare(self, video: Video, episode: int, key: str) -> None:
        """Warn of a camera's first video that goes on after its episode; in version 2 it has no other."""
        name, rows = self.episodes[episode].name, self.catalogue.rows[episode].count
        spare_s = video.lasts_s - rows / self.fps
        much = spare_s > SPARE_S or (spare_s > SPARE_PART * rows / self.fps and spare_s * self.fps > 1.5)
        if much and self.version != "3.0" and key not in self._longer:
            self._longer.add(key)
            found = f"it lasts {video.lasts_s:.4g} s and its episode has {rows} rows, {rows / self.fps:.4g} s"
            told = f"{found}; expected the same: are they of one recording, and is fps right?"
            self._warn(Problem(told, str(video.path), name, key))

    def _advice(self, off_s: float) -> str:
        """What to do about a frame that is this far from its row."""
        if off_s * self.fps <= NEARBY_FRAMES:
            return "If that is meant, set data.tolerance_s"
        return "Is the video cut short, or do time stamps not begin at 0 in each episode?"

    def _times_s(self, episode: int, start: int, stop: int) -> np.ndarray:
        """Times of rows in their episode."""
        stated = self.catalogue.stated[episode]
        table = self._tables.get(stated.data, lambda: Table(stated.data))
        if "timestamp" not in table.columns:
            return np.arange(start, stop) / self.fps
        first = self.catalogue.rows[episode].first
        times_s = table.numbers("timestamp", first + start, first + stop).reshape(-1).astype(np.float64)
        if not np.isfinite(times_s).all() or (np.diff(times_s) < 0).any():
            raise UserError(f"{stated.data}, {stated.name}, timestamp falls or is not finite")
        return times_s

    def _report(self, key: str, episode: str, file: Path, worst: float) -> None:
        """Keep a camera's worst deviation, and warn of the first that LeRobot would refuse."""
        before = self.worst_deviation_s.get(key, 0.0)
        self.worst_deviation_s[key] = max(before, worst)
        if before <= WARN_DEVIATION_S < worst:
            found = f"frames are up to {worst:.4g} s from their time stamps; LeRobot itself allows 0.0001 s"
            self._warn(Problem(found, str(file), episode, key))

    def _warn(self, problem: Problem) -> None:
        self.warnings.append(problem)
        log.warning("%s", problem)


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{file.resolve()} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
