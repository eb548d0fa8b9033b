"""Episodes of LeRobot folders into a new one as they are: columns, images and videos are not encoded again.

Video files are copied whole, also where only some of their episodes are chosen: their places in them stay.
"""

import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from s2robot.datasets.lerobot.assembly import Assembly
from s2robot.datasets.lerobot.copied_columns import (
    Chosen,
    common_schema,
    narrowed,
    renumbered,
    tables,
    with_holes,
)
from s2robot.datasets.lerobot.episode_rows import NUMBERING
from s2robot.datasets.lerobot.extras import EXTRA
from s2robot.datasets.lerobot.files import expand
from s2robot.datasets.lerobot.info import CHUNKS_SIZE, VIDEO_PATH
from s2robot.datasets.lerobot.source import LeRobot
from s2robot.datasets.lerobot.stated import Clip
from s2robot.datasets.lerobot.stats import FrameStats, Stats, of_numbers
from s2robot.datasets.lerobot.video import Video
from s2robot.datasets.pieces import pieces
from s2robot.errors import UserError
from s2robot.progress import progress

OF_VERSION_2 = ("total_chunks", "total_videos")
COUNTED = ("codebase_version", "data_path", "video_path", "splits", "chunks_size", "storage_format")


def can_copy(chosen: Chosen) -> bool:
    """Whether the times in all videos mean the same wherever their episodes are listed."""
    files = {clip.file: source for source, i in chosen for clip in source.catalogue.stated[i].clips.values()}
    for file, source in files.items():
        video = Video(file, source.meta.fps)
        begins_at_zero = video.begins_at_zero
        video.close()
        if not begins_at_zero:
            return False
    return True


def copy(chosen: Chosen, out: Path, masks: Mapping[str, Sequence[str]], shown: bool = True) -> list[str]:
    """Write episodes, in this order, as a new set of version 3.0 at `out`; `masks` hold their new names.

    Returns what is not in it, a line each: statistics of columns with rows that hold no numbers. Frames are
    decoded for statistics only, which also shows that they can be. Raises `UserError` for sources whose
    features differ, and for frames that cannot be read.
    """
    first = chosen[0][0]
    _must_fit([source for source, _ in chosen])
    schema = common_schema(first, chosen[0][1])
    declared = _declared(first, schema)
    out.mkdir()
    features = {key: one for key, one in first.meta.features.items() if key in declared}
    new = Assembly(out, schema, {**features, **NUMBERING})
    holes = with_holes(chosen, schema)
    videos = {key: _Videos(out, key) for key in first.meta.videos}
    try:
        for source, i in progress(chosen, description="episodes") if shown else chosen:
            _copy_episode(source, i, schema, new, videos, holes)
        raw = {key: value for key, value in first.meta.raw.items() if key not in (*OF_VERSION_2, *COUNTED)}
        raw = {key: value for key, value in raw.items() if not key.startswith("total_")}
        fps = first.meta.fps  # an older set may hold 10.0, which version 3.0 has as 10
        raw |= {"features": declared, "fps": int(fps) if fps.is_integer() else fps}
        new.finish(raw, first.extras.meta, masks)
    except BaseException:
        new.abandon()
        raise
    lost = [f"no statistics of {key}, copied as it is: {why}" for key, why in holes.items()]
    return lost + narrowed(chosen)


class _Videos:
    """The video files of one camera, each copied when its first episode comes."""

    def __init__(self, out: Path, key: str) -> None:
        self._out, self._key = out, key
        self._numbers: dict[Path, int] = {}

    def place(self, clip: Clip, seconds: float) -> dict[str, int | float]:
        """Where an episode of this length is, as the table of episodes has it."""
        if clip.file not in self._numbers:
            self._numbers[clip.file] = len(self._numbers)
            target = self._out / expand(VIDEO_PATH["3"], self._file(clip), self._key, self._key)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(clip.file, target)
        return {
            **self._file(clip),
            "from_timestamp": clip.start_s,
            "to_timestamp": clip.start_s + seconds,
        }

    def _file(self, clip: Clip) -> dict[str, int]:
        number = self._numbers[clip.file]
        return {"chunk_index": number // CHUNKS_SIZE, "file_index": number % CHUNKS_SIZE}


def _copy_episode(
    source: LeRobot,
    i: int,
    schema: pa.Schema,
    new: Assembly,
    videos: Mapping[str, _Videos],
    holes: Collection[str],
) -> None:
    stated, rows = source.catalogue.stated[i], source.catalogue.rows[i]
    own = source.episodes[i]
    numbering = renumbered(source, i, new)
    new.data.begin()
    for table in tables(source, i, schema, numbering):
        new.data.write(table)
    places = {
        key: video.place(stated.clip(key), rows.count / source.meta.fps) for key, video in videos.items()
    }
    stats = {key: of_numbers(values) for key, values in numbering.items()}
    for key, recorded in own.arrays.items():
        if recorded.kind == "numbers" and key in schema.names and key not in holes:
            stats[key] = of_numbers(source.read(i, key))
        elif recorded.kind == "frames":
            stats[key] = _frame_stats(source, i, key)
    arrays = {key.removeprefix(EXTRA): source.read(i, key) for key in own.arrays if key.startswith(EXTRA)}
    new.end_episode(rows.count, own.tasks, places, stats, arrays, dict(own.info))


def _frame_stats(source: LeRobot, i: int, key: str) -> Stats:
    recorded, stats = source.episodes[i].arrays[key], FrameStats()
    for start, stop in pieces(recorded.rows, int(np.prod(recorded.shape))):
        stats.add(source.read(i, key, start, stop))
    return stats.result()


def _declared(source: LeRobot, schema: pa.Schema) -> dict[str, Any]:
    """`features` of `meta/info.json`: those of the source that are there, and those that number rows."""
    raw = source.meta.raw["features"]
    kept = {key: raw[key] for key in raw if key in schema.names or key in source.meta.videos}
    usual = {key: {"dtype": one.dtype, "shape": [1], "names": None} for key, one in NUMBERING.items()}
    return {**usual, **kept}


def _must_fit(sources: Sequence[LeRobot]) -> None:
    """Raise `UserError` unless all have the same features."""
    first = {key: (one.dtype, one.shape) for key, one in sources[0].meta.features.items()}
    for source in {id(source): source for source in sources}.values():
        found = {key: (one.dtype, one.shape) for key, one in source.meta.features.items()}
        if differing := sorted(key for key in {*first, *found} if first.get(key) != found.get(key)):
            key = differing[0]
            raise UserError(
                f"feature {key} is {first.get(key, 'not there')} in {sources[0].path} and "
                f"{found.get(key, 'not there')} in {source.path}"
            )
