"""What a LeRobot set holds, counted in its files, and where its metadata say otherwise."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from s2robot.datasets.images import DEPTH, is_deep
from s2robot.datasets.lerobot import v2, v3
from s2robot.datasets.lerobot.clips import not_own
from s2robot.datasets.lerobot.contradictions import contradictions
from s2robot.datasets.lerobot.extras import EXTRA, Extras
from s2robot.datasets.lerobot.files import Folder, check_mp4
from s2robot.datasets.lerobot.images import AS_NUMBERS, BUFFER_BYTES, are_pixels, is_image_column, open_image
from s2robot.datasets.lerobot.info import INDEX_COLUMNS, INFO, Feature, Info
from s2robot.datasets.lerobot.modality import Parts
from s2robot.datasets.lerobot.rows import READERS, DataFile, Rows, scan
from s2robot.datasets.lerobot.stated import Stated
from s2robot.datasets.lerobot.tables import Table, width
from s2robot.datasets.lerobot.unlisted import unlisted
from s2robot.datasets.lerobot.video import Video
from s2robot.datasets.problem import Problem, refuse
from s2robot.datasets.source import Recorded, SourceEpisode
from s2robot.errors import UserError, number_of

RATE_TOLERANCE = 5e-4  # of frames a second; 29.97 for 30 is 1e-3


class Catalogue:
    """Episodes, where they lie, and their arrays; `errors` of those that are left out.

    Raises `UserError` for what cannot be read at all.
    """

    def __init__(self, folder: Folder, info: Info, extras: Extras) -> None:
        self._folder, self._info, self._extras = folder, info, extras
        self.parts = Parts(folder, info.features)
        self.warnings: list[Problem] = list(self.parts.warnings)
        layout = v3 if info.version == "3.0" else v2
        listed = layout.read_episodes(folder, info)
        self.tasks = layout.read_tasks(folder)
        files = scan(listed, info.fps)
        empty = [one for one in listed if files[one.data].is_empty(one)]
        self.warnings += [Problem("it has 0 steps and is left out", str(one.data), one.name) for one in empty]
        listed = [one for one in listed if one not in empty]
        if not listed:
            raise UserError(f"{folder.root} has {number_of(len(empty), 'episode')}, all without a step")
        faults = {one.name: (one, fault) for one in listed if (fault := files[one.data].fault(one))}
        self.errors = [Problem(fault, str(one.data), name) for name, (one, fault) in faults.items()]
        self.stated: Sequence[Stated] = [one for one in listed if one.name not in faults]
        if not self.stated:
            refuse(self.errors)
        self.rows: list[Rows] = [files[one.data].episodes[one.index] for one in self.stated]
        self._broken = _broken_videos(self.stated)
        self._not_own = not_own(self.stated, self.rows, info.fps)
        self._probed = {key: self._probe(key, feature, files) for key, feature in info.features.items()}
        self.columns = {name for file in files.values() for name in file.schema.names}
        self.begins_s: dict[Path, float] = {}  # the earliest time at which an episode begins in a video
        for clip in (clip for one in self.stated for clip in one.clips.values()):
            self.begins_s[clip.file] = min(clip.start_s, self.begins_s.get(clip.file, clip.start_s))
        self._known: dict[Any, Mapping[str, Recorded]] = {}
        self.episodes = [self._episode(*each, files) for each in zip(self.stated, self.rows, strict=True)]
        self.warnings += unlisted(folder, info.data_path, files, layout.EPISODES)
        self.warnings += contradictions(folder.root, info, self.tasks, self.stated, self.rows, files)

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
        texts = tuple(self.tasks[task] for task in rows.tasks if task in self.tasks)
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
        broken |= {**stated.unplaced, **self._not_own.get(stated.index, {})}
        extra = self._extras.headers(stated.name)
        alike = (schema, rows.count, tuple(broken.items()), tuple(extra.items()))
        if alike not in self._known:
            arrays = {
                key: self._recorded(key, feature, schema, rows.count, broken.get(key))
                for key, feature in self._info.features.items()
                if key not in INDEX_COLUMNS
            }
            for key, part in self.parts.by_key.items():
                if (whole := arrays[part.of]).kind == "numbers":
                    names = whole.names[part.start : part.end]
                    arrays[key] = replace(whole, shape=(part.width,), names=names, part_of=part.of)
            for key, (shape, dtype) in extra.items():
                arrays[EXTRA + key] = Recorded("numbers", shape[0] if shape else 0, shape[1:], dtype.name)
            self._known[alike] = arrays
        return self._known[alike]

    def _recorded(
        self, key: str, feature: Feature, schema: pa.Schema, rows: int, broken: str | None
    ) -> Recorded:
        def other(note: str, broken: bool = False) -> Recorded:
            return Recorded("other", rows, feature.frame_shape, feature.dtype, note, broken=broken)

        if broken:
            return other(broken, broken=True)
        if feature.is_camera:
            probed = self._probed[key]
            return replace(probed, rows=rows)
        if key not in schema.names:
            return other("declared in the metadata, but no column of the data")
        dtype, numeric = width(schema.field(key).type)
        if not numeric:
            return other(f"holds {dtype}, not numbers")
        if are_pixels(feature.shape):
            return Recorded("other", rows, feature.shape, dtype, AS_NUMBERS)
        return Recorded("numbers", rows, feature.shape, dtype, names=feature.row_names)

    def _probe(self, key: str, feature: Feature, files: Mapping[Path, DataFile]) -> Recorded:
        """What a camera's first frame is: the metadata may be wrong, the file is not."""
        declared = feature.frame_shape
        if feature.depth or not feature.is_camera:
            return Recorded("other", 0, declared, feature.dtype, DEPTH if feature.depth else "")
        try:
            probed = self._probe_video(key) if feature.dtype == "video" else self._probe_image(key, files)
        except UserError as error:  # of a camera that may not be used
            return Recorded("other", 0, declared, feature.dtype, str(error), broken=True)
        if probed.kind == "frames" and probed.shape[:2] != declared[:2]:
            self._warn(f"declared as {list(feature.shape)}, its frames are {list(probed.shape)}", key)
        return probed

    def _probe_video(self, key: str) -> Recorded:
        """By the header of the first file that can be read."""
        files = [one.clips[key].file for one in self.stated if key in one.clips]
        if not files:
            self.stated[0].clip(key)  # says why there are none
        video = Video(next((file for file in files if not self._broken[file]), files[0]), self._info.fps)
        video.close()
        if video.pixels.startswith(("gray9", "gray1")):  # gray9le to gray16be
            return Recorded("other", 0, video.shape[:2], "video", DEPTH)
        if video.rate and abs(video.rate / self._info.fps - 1) > RATE_TOLERANCE:
            rates = f"its video has {video.rate:.6g} frames a second, the rows have {self._info.fps:g}"
            self._warn(f"{rates}: each row gets the frame nearest in time", key)
        return Recorded("frames", 0, video.shape, "uint8", video.codec)

    def _probe_image(self, key: str, files: Mapping[Path, DataFile]) -> Recorded:
        """By the first image."""
        file, first = self.stated[0].data, self.rows[0].first
        schema = files[file].schema
        if key not in schema.names or not is_image_column(schema.field(key).type):
            raise UserError(f"{file}: no column holds the images of {key}")
        table = Table(file, BUFFER_BYTES)
        cell = next(table.stream(key, first, 1)).as_py()
        table.close()
        with open_image(self._folder, cell, f"{file}: {key}, row {first}") as image:
            size = image.height, image.width
            if is_deep(image):
                return Recorded("other", 0, size, "image", DEPTH)
            return Recorded("frames", 0, (*size, 3), "uint8", str(image.format).lower())

    def _warn(self, problem: str, key: str = "") -> None:
        self.warnings.append(Problem(problem, str(self._folder.root / INFO), key=key))


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
