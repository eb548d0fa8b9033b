"""Where the rows of each episode lie in the data files, counted there and not taken from the metadata."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from s2robot.datasets.lerobot.stated import Stated
from s2robot.datasets.lerobot.tables import Table, to_numpy
from s2robot.errors import UserError

READERS = 4  # threads; most of the time of a small file is the system's
NUMBERING = ("episode_index", "frame_index", "index", "timestamp", "task_index")
TIMESTAMP_TOLERANCE_S = 1e-4  # LeRobot's own


@dataclass(frozen=True)
class Rows:
    """The rows of one episode in its data file."""

    first: int
    count: int
    tasks: tuple[int, ...] = ()  # indices of task texts, in the order of their appearance
    first_index: int | None = None  # number of the first row in the whole set
    off_s: float = 0.0  # largest distance of a time stamp from frame_index / fps


@dataclass(frozen=True)
class DataFile:
    """What one data file holds."""

    schema: pa.Schema
    episodes: Mapping[int, Rows]


def scan(episodes: Sequence[Stated], fps: float) -> dict[Path, DataFile]:
    """Read the numbering columns of every data file.

    Raises `UserError` for a file that cannot be read, for an episode without rows, and for rows that are
    not the frames 0, 1, 2, ... of their episode one after the other.
    """
    files = list(dict.fromkeys(episode.data for episode in episodes))
    with ThreadPoolExecutor(READERS, thread_name_prefix="scan") as threads:
        found = dict(zip(files, threads.map(lambda path: _scan_file(path, fps), files), strict=True))
    for episode in episodes:
        if episode.index not in found[episode.data].episodes:
            raise UserError(f"{episode.data}: {episode.name} has no rows in it; the metadata say it has")
    return found


def _scan_file(path: Path, fps: float) -> DataFile:
    table = Table(path)
    missing = [key for key in ("episode_index", "frame_index") if key not in table.columns]
    if missing:
        raise UserError(f"{path} has no column {missing[0]!r}; found: {', '.join(table.columns)}")
    found = table.read([key for key in NUMBERING if key in table.columns])
    columns = {key: to_numpy(column, f"{path}: {key}").reshape(-1) for key, column in found.items()}
    table.close()
    return DataFile(table.schema, dict(_episodes(path, columns, fps)))


def _episodes(path: Path, columns: Mapping[str, np.ndarray], fps: float) -> Iterator[tuple[int, Rows]]:
    index, tasks = columns["episode_index"], columns.get("task_index", np.empty(0, int))
    bounds = [0, *(np.flatnonzero(np.diff(index)) + 1), len(index)] if len(index) else []
    seen: set[int] = set()
    for first, stop in pairwise(bounds):
        episode, own = int(index[first]), slice(first, stop)
        frames = columns["frame_index"][own]
        if episode in seen:
            raise UserError(f"{path}: the rows of episode {episode} do not follow one another")
        if (wrong := frames != np.arange(stop - first)).any():
            row = int(np.flatnonzero(wrong)[0])
            raise UserError(
                f"{path}: frame_index of episode {episode} is {frames[row]} in its row {row}; expected {row}"
            )
        seen.add(episode)
        times_s = columns["timestamp"][own].astype(np.float64) if "timestamp" in columns else frames / fps
        yield (
            episode,
            Rows(
                first=int(first),
                count=int(stop - first),
                tasks=tuple(dict.fromkeys(tasks[own].tolist())),
                first_index=int(columns["index"][first]) if "index" in columns else None,
                off_s=float(np.max(np.abs(times_s - frames / fps))),
            ),
        )
