"""Where the rows of each episode lie in the data files, counted there and not taken from the metadata."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from s2robot.datasets.lerobot.images import missing_images
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
    first_s: float = 0.0  # the smallest time stamp
    last_s: float = 0.0  # the largest


@dataclass(frozen=True)
class DataFile:
    """What one data file holds; `faults` say why an episode in it, or None: the whole file, is of no use."""

    schema: pa.Schema
    episodes: Mapping[int, Rows]
    faults: Mapping[int | None, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)  # columns without some of their images, and how

    def fault(self, episode: Stated) -> str:
        """Why an episode cannot be used, "" if nothing is known against it."""
        found = self.faults.get(None) or self.faults.get(episode.index, "")
        if not found and episode.index not in self.episodes:
            return "it has no rows in this file; the metadata say it has"
        return found

    def is_empty(self, episode: Stated) -> bool:
        """Whether an episode has no steps, by the metadata and in the file."""
        whole_file, own = self.faults.get(None), self.faults.get(episode.index)
        return not (episode.length or whole_file or own or episode.index in self.episodes)


def scan(episodes: Sequence[Stated], fps: float) -> dict[Path, DataFile]:
    """Read the numbering columns of every data file.

    Faults are a file that cannot be read, and rows that are not the frames 0, 1, 2, ... of their episode one
    after the other.
    """
    files = list(dict.fromkeys(episode.data for episode in episodes))
    with ThreadPoolExecutor(READERS, thread_name_prefix="scan") as threads:
        return dict(zip(files, threads.map(lambda path: _scan_file(path, fps), files), strict=True))


def _scan_file(path: Path, fps: float) -> DataFile:
    try:
        table = Table(path)
        missing = [key for key in ("episode_index", "frame_index") if key not in table.columns]
        if missing:
            raise UserError(f"{path} has no column {missing[0]!r}; found: {', '.join(table.columns)}")
        found = table.read([key for key in NUMBERING if key in table.columns])
        columns = {key: _numbers(column, key, path) for key, column in found.items()}
        imageless = missing_images(table)
        table.close()
    except UserError as error:
        return DataFile(pa.schema([]), {}, {None: str(error)})
    rows = dict(_episodes(columns, fps))
    good = {episode: one for episode, one in rows.items() if isinstance(one, Rows)}
    faults: dict[int | None, str] = {episode: one for episode, one in rows.items() if isinstance(one, str)}
    return DataFile(table.schema, good, faults, imageless)


def _numbers(column: pa.Array, key: str, path: Path) -> np.ndarray:
    """One column that numbers rows. Raises `UserError` for one that counts in no whole numbers."""
    values = to_numpy(column, f"{path}: {key}").reshape(-1)
    if len(values) != len(column):
        raise UserError(
            f"{path}: {key}: found {len(values)} numbers in {len(column)} rows, expected one a row"
        )
    if key != "timestamp" and len(wrong := values[values != np.floor(values)]):  # also NaN
        raise UserError(f"{path}: {key}: found {wrong[0]}, expected whole numbers")
    if key != "timestamp" and not np.isfinite(values.astype(np.float64)).all():
        raise UserError(f"{path}: {key}: found a number that is not finite, expected whole numbers")
    return values


def _episodes(columns: Mapping[str, np.ndarray], fps: float) -> Iterator[tuple[int, Rows | str]]:
    """The rows of each episode, or what is wrong with them."""
    index, tasks = columns["episode_index"], columns.get("task_index", np.empty(0, int))
    bounds = [0, *(np.flatnonzero(np.diff(index)) + 1), len(index)] if len(index) else []
    seen: set[int] = set()
    for first, stop in pairwise(bounds):
        episode, own = int(index[first]), slice(first, stop)
        frames = columns["frame_index"][own]
        if episode in seen:
            yield episode, "its rows do not follow one another"
            continue
        seen.add(episode)
        if (wrong := frames != np.arange(stop - first)).any():
            row = int(np.flatnonzero(wrong)[0])
            yield episode, f"frame_index is {frames[row]} in its row {row}; expected {row}"
            continue
        times_s = columns["timestamp"][own].astype(np.float64) if "timestamp" in columns else frames / fps
        yield (
            episode,
            Rows(
                first=int(first),
                count=int(stop - first),
                tasks=tuple(dict.fromkeys(tasks[own].tolist())),
                first_index=int(columns["index"][first]) if "index" in columns else None,
                off_s=float(np.max(np.abs(times_s - frames / fps))),
                first_s=float(times_s.min()),
                last_s=float(times_s.max()),
            ),
        )
