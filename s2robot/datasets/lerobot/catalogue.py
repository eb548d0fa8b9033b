"""What a LeRobot set holds, counted in its files, and where its metadata say otherwise."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from s2robot.datasets.lerobot import v2, v3
from s2robot.datasets.lerobot.extras import EXTRA, Extras
from s2robot.datasets.lerobot.files import Folder, check_mp4
from s2robot.datasets.lerobot.images import BUFFER_BYTES, is_deep, is_image_column, open_image
from s2robot.datasets.lerobot.info import INDEX_COLUMNS, INFO, Feature, Info
from s2robot.datasets.lerobot.rows import READERS, TIMESTAMP_TOLERANCE_S, DataFile, Rows, scan
from s2robot.datasets.lerobot.stated import Stated
from s2robot.datasets.lerobot.tables import Table, width
from s2robot.datasets.lerobot.video import Video
from s2robot.datasets.problem import Problem
from s2robot.datasets.source import Recorded, SourceEpisode
from s2robot.errors import UserError

DEPTH = "depth, no colours"


class Catalogue:
    """Episodes, where they lie, and their arrays. Raises `UserError` for what cannot be read at all."""

    def __init__(self, folder: Folder, info: Info, extras: Extras) -> None:
        self._folder, self._info, self._extras = folder, info, extras
        self.warnings: list[Problem] = []
        layout = v3 if info.version == "3.0" else v2
        self.stated: Sequence[Stated] = layout.read_episodes(folder, info)
        self._tasks = layout.read_tasks(folder)
        files = scan(self.stated, info.fps)
        self.rows: list[Rows] = [files[one.data].episodes[one.index] for one in self.stated]
        self._broken = _broken_videos(self.stated)
        self._probed = {key: self._probe(key, feature, files) for key, feature in info.features.items()}
        self.begins_s: dict[Path, float] = {}  # the earliest time at which an episode begins in a video
        for clip in (clip for one in self.stated for clip in one.clips.values()):
            self.begins_s[clip.file] = min(clip.start_s, self.begins_s.get(clip.file, clip.start_s))
        self._known: dict[Any, Mapping[str, Recorded]] = {}
        self.episodes = [self._episode(*each, files) for each in zip(self.stated, self.rows, strict=True)]
        self._compare(files)

    def masks(self) -> dict[str, list[str]]:
        """Names of episodes by filter key: those of `extras`, else the splits of the metadata.

        A single split of all episodes, which LeRobot writes into every set, divides nothing and is no mask.
        """
        if self._extras.masks:
            return self._extras.masks
        masks = {}
        for name, span in self._info.splits.items():
            bounds = str(span).split(":")
            if len(bounds) != 2 or not all(bound.strip().isdecimal() for bound in bounds):
                self._warn(f"split {name!r} is {span!r}; expected 'first:end', it is ignored")
                continue
            first, end = map(int, bounds)
            masks[name] = [one.name for one in self.stated if first <= one.index < end]
            if end - first != len(masks[name]):
                self._warn(f"split {name!r} is {span!r}, of which {len(masks[name])} episodes are there")
        divides = len(masks) > 1 or any(len(names) < len(self.stated) for names in masks.values())
        return masks if divides else {}

    def _episode(self, stated: Stated, rows: Rows, files: Mapping[Path, DataFile]) -> SourceEpisode:
        texts = tuple(self._tasks[task] for task in rows.tasks if task in self._tasks)
        return SourceEpisode(
            name=stated.name,
            file=stated.data,
            arrays=self._arrays(stated, rows, files[stated.data].schema),
            seed=self._extras.seed(stated.name),
            tasks=texts or tuple(stated.tasks),
            info=self._extras.info(stated.name),
        )

    def _arrays(self, stated: Stated, rows: Rows, schema: pa.Schema) -> Mapping[str, Recorded]:
        """The arrays of an episode; those of equal episodes are the same object, as there may be many."""
        broken = {key: why for key, clip in stated.clips.items() if (why := self._broken[clip.file])}
        extra = self._extras.headers(stated.name)
        alike = (schema, rows.count, tuple(broken.items()), tuple(extra.items()))
        if alike not in self._known:
            arrays = {
                key: self._recorded(key, feature, schema, rows.count, broken.get(key))
                for key, feature in self._info.features.items()
                if key not in INDEX_COLUMNS
            }
            for key, (shape, dtype) in extra.items():
                arrays[EXTRA + key] = Recorded("numbers", shape[0] if shape else 0, shape[1:], dtype.name)
            self._known[alike] = arrays
        return self._known[alike]

    def _recorded(
        self, key: str, feature: Feature, schema: pa.Schema, rows: int, broken: str | None
    ) -> Recorded:
        def other(note: str) -> Recorded:
            return Recorded("other", rows, feature.frame_shape, feature.dtype, note)

        if broken:
            return other(broken)
        if feature.is_camera:
            probed = self._probed[key]
            return Recorded(probed.kind, rows, probed.shape, probed.dtype, probed.note)
        if key not in schema.names:
            return other("declared in the metadata, but no column of the data")
        dtype, numeric = width(schema.field(key).type)
        if not numeric:
            return other(f"holds {dtype}, not numbers")
        return Recorded("numbers", rows, feature.shape, dtype)

    def _probe(self, key: str, feature: Feature, files: Mapping[Path, DataFile]) -> Recorded:
        """What a camera's first frame is: the metadata may be wrong, the file is not."""
        stated, declared = self.stated[0], feature.frame_shape
        if feature.depth:
            return Recorded("other", 0, declared, feature.dtype, DEPTH)
        if feature.dtype == "video":
            file = stated.clips[key].file
            if self._broken[file]:
                return Recorded("frames", 0, declared, "uint8")
            video = Video(file, self._info.fps)
            shape, note, deep = video.shape, video.codec, video.pixels.startswith(("gray1", "gray9"))
            video.close()
        elif feature.dtype == "image":
            schema = files[stated.data].schema
            if key not in schema.names or not is_image_column(schema.field(key).type):
                return Recorded("other", 0, declared, feature.dtype, "no column of the data holds its images")
            table, first = Table(stated.data, BUFFER_BYTES), self.rows[0].first
            cell = next(table.stream(key, first, 1)).as_py()
            table.close()
            with open_image(self._folder, cell, f"{stated.data}, {stated.name}: {key}") as image:
                shape, note, deep = (image.height, image.width, 3), str(image.format).lower(), is_deep(image)
        else:
            return Recorded("other", 0, declared, feature.dtype)
        if deep:
            return Recorded("other", 0, shape[:2], feature.dtype, DEPTH)
        if shape[:2] != declared[:2]:
            self._warn(f"declared as {list(feature.shape)}, its frames are {list(shape)}", key)
        return Recorded("frames", 0, shape, "uint8", note)

    def _compare(self, files: Mapping[Path, DataFile]) -> None:
        """Warn of what the metadata state and the files contradict."""
        counted = {
            "total_episodes": len(self.stated),
            "total_frames": sum(rows.count for rows in self.rows),
            "total_tasks": len(self._tasks),
        }
        for key, found in counted.items():
            if self._info.totals.get(key, found) != found:
                self._warn(f"{key} is {self._info.totals[key]!r}; counted {found}")
        if [one.index for one in self.stated] != list(range(len(self.stated))):
            self._warn(f"episodes are not numbered 0 to {len(self.stated) - 1}; some may be missing")
        total = 0
        for one, rows in zip(self.stated, self.rows, strict=True):
            if one.length != rows.count:
                self._warn(f"length is {one.length}; counted {rows.count} rows", episode=one)
            if rows.off_s > TIMESTAMP_TOLERANCE_S:
                self._warn(
                    f"timestamp differs from frame_index / {self._info.fps:g} by up to {rows.off_s:.4g} s",
                    "timestamp",
                    one,
                )
            if rows.first_index not in (None, total):
                self._warn(f"index begins at {rows.first_index}; expected {total}", "index", one)
            total += rows.count
            if unknown := [task for task in rows.tasks if task not in self._tasks]:
                self._warn(f"task_index {unknown[0]} has no text among the tasks", "task_index", one)
        known = {one.index for one in self.stated}
        for path, file in files.items():
            if unlisted := sorted(set(file.episodes) - known):
                which = f"rows of episode {unlisted[0]} (and of {len(unlisted) - 1} others)"
                self.warnings.append(Problem(f"{which} are left out: the metadata do not list it", str(path)))
            for key in sorted(set(file.schema.names) - set(self._info.features) - set(INDEX_COLUMNS)):
                self.warnings.append(Problem(f"left out: it is not declared in {INFO}", str(path), key=key))

    def _warn(self, problem: str, key: str = "", episode: Stated | None = None) -> None:
        file = episode.data if episode else self._folder.root / INFO
        self.warnings.append(Problem(problem, str(file), episode.name if episode else "", key))


def _broken_videos(episodes: Sequence[Stated]) -> dict[Path, str]:
    """Why each video cannot be read, "" where nothing is known against it."""

    def why(path: Path) -> str:
        try:
            check_mp4(path)
        except UserError as error:
            return str(error)
        return ""

    files = list(dict.fromkeys(clip.file for episode in episodes for clip in episode.clips.values()))
    with ThreadPoolExecutor(READERS, thread_name_prefix="check") as threads:
        return dict(zip(files, threads.map(why, files), strict=True))
