"""What `meta/info.json` says, checked: version, frame rate, features and the templates of paths.

Layouts: https://github.com/huggingface/lerobot, `datasets/utils.py`, commit 7427f31 (3.0), tag v0.3.3 (2.1).
Counts and splits in it are often wrong: they are compared with what the files hold and never used.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from s2robot.datasets.lerobot.files import Folder
from s2robot.errors import UserError

INFO = "meta/info.json"
VERSIONS = ("2.0", "2.1", "3.0")
CHUNKS_SIZE = 1000  # files (version 2: episodes) a chunk, unless a set says otherwise
# Columns that number rows; they are no observations.
INDEX_COLUMNS = ("timestamp", "frame_index", "episode_index", "index", "task_index")
DATA_PATH = {
    "2": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "3": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
}
VIDEO_PATH = {
    "2": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    "3": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}


@dataclass(frozen=True)
class Feature:
    """One declared feature."""

    dtype: str  # NumPy's name, "image", "video", "string", "language"
    shape: tuple[int, ...]  # of one row
    names: Any = None
    depth: bool = False

    @property
    def is_camera(self) -> bool:
        return self.dtype in ("image", "video")

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """(h, w, c) of a camera: c by the names of the axes, else the last or first axis of 1 or 3."""
        names = self.names
        if isinstance(names, dict):  # {"axes": [height, ...]}, {height: 64, ...}
            names = next((one for one in names.values() if isinstance(one, list)), list(names))
        if len(self.shape) != 3:
            return self.shape
        if isinstance(names, list) and len(names) == 3 and all(isinstance(name, str) for name in names):
            channels_first = names[0].lower().startswith("c")  # channel, channels, C; else height or h
        else:
            channels_first = self.shape[2] not in (1, 3) and self.shape[0] in (1, 3)
        return (*self.shape[1:], self.shape[0]) if channels_first else self.shape

    @property
    def row_names(self) -> tuple[str, ...]:
        """Of the numbers of a row, declared as [a, b], {group: [a, b]} or {a: 0, b: 1}; () unless of all."""
        names = self.names
        if isinstance(names, dict):
            lists = [one for one in names.values() if isinstance(one, list)]
            names = [name for one in lists for name in one] if lists else list(names)
        fits = isinstance(names, list) and len(names) == math.prod(self.shape)
        return tuple(names) if fits and all(isinstance(name, str) for name in names) else ()


@dataclass(frozen=True)
class Info:
    """A checked `meta/info.json`."""

    version: str  # one of VERSIONS
    fps: float
    features: Mapping[str, Feature]
    data_path: str
    video_path: str
    chunks_size: int  # version 2: episodes a chunk
    robot_type: str | None = None
    totals: Mapping[str, Any] = field(default_factory=dict)  # as stated, not to be relied on
    splits: Mapping[str, Any] = field(default_factory=dict)  # as stated
    raw: Mapping[str, Any] = field(default_factory=dict)  # all of the file

    @property
    def videos(self) -> list[str]:
        """Features that are stored as video."""
        return [key for key, feature in self.features.items() if feature.dtype == "video"]


def read_info(folder: Folder) -> Info:
    """Read and check `meta/info.json`; raises `UserError` that names the fault."""
    where = folder.root / INFO
    raw = folder.json(INFO)
    if not isinstance(raw, dict):
        raise UserError(f"{where}: found {type(raw).__name__}, expected a JSON object")
    version = _version(raw.get("codebase_version"), str(where))
    storage = raw.get("storage_format", "parquet")
    if storage != "parquet":
        raise UserError(
            f"{where}: the data are stored as {storage!r}; only parquet is read: convert the dataset with "
            f"LeRobot's own tools"
        )
    fps = raw.get("fps")
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= sys.float_info.max:
        found = "is missing" if fps is None else f"is {fps!r:.40}"
        expected = "a positive number of frames a second, written there"
        raise UserError(f"{where}: fps {found}; expected {expected}")
    features = raw.get("features")
    if not isinstance(features, dict) or not features:
        raise UserError(f"{where}: 'features' is missing or empty; expected dtype and shape by name")
    major = version[0]
    return Info(
        version=version,
        fps=float(fps),
        features={key: _feature(key, value, str(where)) for key, value in features.items()},
        data_path=_template(raw, "data_path", DATA_PATH[major], str(where)),
        video_path=_template(raw, "video_path", VIDEO_PATH[major], str(where)),
        chunks_size=_positive(raw, "chunks_size", CHUNKS_SIZE, str(where)),
        robot_type=raw["robot_type"] if isinstance(raw.get("robot_type"), str) else None,
        totals={key: raw[key] for key in ("total_episodes", "total_frames", "total_tasks") if key in raw},
        splits=raw["splits"] if isinstance(raw.get("splits"), dict) else {},
        raw=raw,
    )


def check_layout(folder: Folder, own: str, other: str, version: str) -> None:
    """Raise `UserError` where the episodes are listed at the place of another version than the stated one."""
    if not (folder.root / own).exists() and (folder.root / other).exists():
        raise UserError(
            f"{folder.root / INFO}: codebase_version is v{version}, and the files are laid out as another "
            f"version's, with {other} and no {own}; correct it"
        )


def _version(stated: Any, where: str) -> str:
    if not isinstance(stated, str):
        raise UserError(f"{where}: codebase_version is {stated!r}; expected one of v{', v'.join(VERSIONS)}")
    version = stated.removeprefix("v")
    if version in VERSIONS:
        return version
    if version.startswith(("0.", "1.")):
        hint = "older than is read; convert it with the scripts that LeRobot 0.1 and 0.3 bring"
    else:
        hint = "not a version that is read; a newer s2robot may read it, or convert it with LeRobot"
    raise UserError(f"{where}: codebase_version {stated!r} is {hint}; read: v{', v'.join(VERSIONS)}")


def _feature(key: str, raw: Any, where: str) -> Feature:
    if not key or "/" in key or "\0" in key or key in (".", ".."):
        raise UserError(f"{where}: {key!r} is no name of a feature; it may not be empty or hold '/'")
    if not isinstance(raw, dict) or not isinstance(raw.get("dtype"), str):
        raise UserError(f"{where}: feature {key!r} has no dtype; expected an object with dtype and shape")
    shape = raw.get("shape") or [1]
    if not isinstance(shape, list) or not all(_is_count(side) for side in shape):
        raise UserError(f"{where}: feature {key!r} has shape {shape!r}; expected a list of positive integers")
    if raw["dtype"] in ("image", "video") and len(shape) != 3:
        raise UserError(f"{where}: camera {key!r} has shape {shape!r}; expected height, width and channels")
    notes = [raw.get("info"), raw.get("video_info"), raw]
    flags = ("is_depth_map", "video.is_depth_map")
    depth = any(note.get(flag) is True for note in notes if isinstance(note, dict) for flag in flags)
    return Feature(raw["dtype"], tuple(shape), raw.get("names"), depth)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _template(raw: Mapping[str, Any], key: str, default: str, where: str) -> str:
    value = raw.get(key)
    if value is None:  # video_path is null where there are no videos
        return default
    if not isinstance(value, str) or not value:
        raise UserError(f"{where}: {key} is {value!r}; expected a template such as {default!r}")
    return value


def _positive(raw: Mapping[str, Any], key: str, default: int, where: str) -> int:
    value = raw.get(key, default)
    if not _is_count(value):
        raise UserError(f"{where}: {key} is {value!r}; expected a positive integer")
    return value
