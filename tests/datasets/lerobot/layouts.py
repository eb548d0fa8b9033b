"""LeRobot folders in each layout, written here from the description of the format alone."""

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from s2robot.datasets.lerobot.source import LeRobot
from s2robot.datasets.options import DataConfig
from s2robot.datasets.problem import refuse

os.environ.setdefault("SVT_LOG", "1")  # errors only; the encoder of AV1 writes to stderr else
FPS = 10
FRONT, WRIST = "observation.images.front", "observation.images.wrist"
NUMBERING = {"timestamp": "float32"} | dict.fromkeys(
    ("frame_index", "episode_index", "index", "task_index"), "int64"
)
TASKS = ["push the block", "lift the cube"]


def frames_of(episode: int, count: int, camera: int = 0, height: int = 64, width: int = 80) -> np.ndarray:
    """Frames "t h w 3" that differ from each other and from those of other episodes and cameras."""
    y, x = np.mgrid[0:height, 0:width]
    frames = np.empty((count, height, width, 3), np.uint8)
    for i in range(count):
        shade = 40 + 30 * camera + 60 * np.sin(x / 15 + episode) + x * 0.5
        frames[i] = np.clip(np.stack([shade, shade[::-1] + y * 0.3, 100 + 0 * x], -1), 0, 255)
        left = (11 * i + 13 * episode) % (width - 16)
        frames[i, 10 * camera + 8 : 10 * camera + 24, left : left + 16] = (230, 40 + 7 * (i % 25), 20)
    return frames


def encode(
    path: Path,
    frames: np.ndarray | Sequence[np.ndarray],
    codec: str = "libx264",
    options: Mapping[str, str] | None = None,
    start: int = 0,
    container: Mapping[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    rate: int = FPS,
) -> None:
    """One MP4 of frames; `start`: number of the first frame's time stamp."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=dict(container or {})) as file:
        stream: Any = file.add_stream(
            codec, rate=rate, options=dict(options or {"g": "2", "crf": "20", "bf": "0"})
        )
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        for i, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = i + start
            file.mux(stream.encode(picture))
        file.mux(stream.encode())


@dataclass
class Recording:
    """What is to be written; two cameras unless said otherwise."""

    lengths: Sequence[int] = (7, 12, 9)
    version: str = "v3.0"
    codec: Mapping[str, Any] = field(default_factory=dict)  # arguments of `encode`
    images: str | None = None  # "png", "jpeg" or "path" instead of videos
    cameras: Sequence[str] = (FRONT, WRIST)
    info: Mapping[str, Any] = field(default_factory=dict)  # overrides
    columns: Mapping[str, pa.Array] = field(default_factory=dict)  # further columns of all rows

    def frames(self, episode: int, camera: str) -> np.ndarray:
        return frames_of(episode, self.lengths[episode], self.cameras.index(camera))

    def state(self, episode: int) -> np.ndarray:
        return (np.arange(self.lengths[episode] * 4, dtype=np.float32).reshape(-1, 4) + 100 * episode) / 7

    def action(self, episode: int) -> np.ndarray:
        return -self.state(episode)[:, :3]

    def write(self, root: Path) -> Path:
        root.mkdir(parents=True, exist_ok=True)
        (root / "meta").mkdir()
        (_write_v3 if self.version == "v3.0" else _write_v2)(self, root)
        _write_info(self, root)
        return root


def rows_of(recording: Recording, root: Path, episode: int) -> pa.Table:
    """The data rows of one episode."""
    count, first = recording.lengths[episode], sum(recording.lengths[:episode])
    state, action = recording.state(episode), recording.action(episode)
    columns = {
        "observation.state": pa.FixedSizeListArray.from_arrays(pa.array(state.reshape(-1)), 4),
        "action": pa.array(list(action), pa.list_(pa.float32())),
        "timestamp": pa.array((np.arange(count) / FPS).astype(np.float32)),
        "frame_index": pa.array(np.arange(count)),
        "episode_index": pa.array(np.full(count, episode)),
        "index": pa.array(np.arange(first, first + count)),
        "task_index": pa.array(np.full(count, episode % 2)),
    }
    if recording.images:
        for camera in recording.cameras:
            columns[camera] = _image_column(recording, root, episode, camera)
    columns.update({key: values[first : first + count] for key, values in recording.columns.items()})
    return pa.table(columns)


def _image_column(recording: Recording, root: Path, episode: int, camera: str) -> pa.Array:
    cells: list[dict[str, Any]] = []
    for i, frame in enumerate(recording.frames(episode, camera)):
        content = io.BytesIO()
        Image.fromarray(frame).save(content, "jpeg" if recording.images == "jpeg" else "png")
        name = f"images/{camera}/episode_{episode:06d}/frame_{i:06d}.png"
        if recording.images == "path":
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content.getvalue())
            cells.append({"bytes": None, "path": name})
        else:
            cells.append({"bytes": content.getvalue(), "path": Path(name).name})
    return pa.array(cells, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def _write_v2(recording: Recording, root: Path) -> None:
    lines = []
    for episode, length in enumerate(recording.lengths):
        data = root / f"data/chunk-000/episode_{episode:06d}.parquet"
        data.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows_of(recording, root, episode), data)
        for camera in recording.cameras if not recording.images else ():
            video = root / f"videos/chunk-000/{camera}/episode_{episode:06d}.mp4"
            encode(video, recording.frames(episode, camera), **recording.codec)
        lines.append({"episode_index": episode, "tasks": [TASKS[episode % 2]], "length": length})
    write_lines(root / "meta/episodes.jsonl", lines)
    write_lines(root / "meta/tasks.jsonl", [{"task_index": i, "task": task} for i, task in enumerate(TASKS)])


def _write_v3(recording: Recording, root: Path) -> None:
    """Two data files; one video file of the first camera, one an episode of the second."""
    rows: list[dict[str, Any]] = []
    for episode, length in enumerate(recording.lengths):
        first = sum(recording.lengths[:episode])
        row = {
            "episode_index": episode,
            "tasks": [TASKS[episode % 2]],
            "length": length,
            "data/chunk_index": 0,
            "data/file_index": int(episode > 0),
            "dataset_from_index": first,
            "dataset_to_index": first + length,
            "stats/action/mean": [0.0, 0.0, 0.0],
        }
        for camera in recording.cameras if not recording.images else ():
            packed = camera == recording.cameras[0]
            row[f"videos/{camera}/chunk_index"] = 0
            row[f"videos/{camera}/file_index"] = 0 if packed else episode
            row[f"videos/{camera}/from_timestamp"] = first / FPS if packed else 0.0
            row[f"videos/{camera}/to_timestamp"] = (first if packed else 0) / FPS + length / FPS
        rows.append(row)
    episodes = range(len(recording.lengths))
    for file, members in enumerate((episodes[:1], episodes[1:])):
        tables = [rows_of(recording, root, episode) for episode in members]
        path = root / f"data/chunk-000/file-{file:03d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        if tables:
            pq.write_table(pa.concat_tables(tables), path, row_group_size=5)
    for camera in recording.cameras if not recording.images else ():
        parts = [recording.frames(episode, camera) for episode in episodes]
        if camera == recording.cameras[0]:
            parts = [np.concatenate(parts)]
        for file, part in enumerate(parts):
            encode(root / f"videos/{camera}/chunk-000/file-{file:03d}.mp4", part, **recording.codec)
    path = root / "meta/episodes/chunk-000/file-000.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    tasks = {"task_index": pa.array(range(len(TASKS)), pa.int64()), "task": TASKS}
    pq.write_table(pa.table(tasks), root / "meta/tasks.parquet")


def _write_info(recording: Recording, root: Path) -> None:
    kind = "image" if recording.images else "video"
    features: dict[str, Any] = {
        "observation.state": {"dtype": "float32", "shape": [4], "names": None},
        "action": {"dtype": "float32", "shape": [3], "names": {"motors": ["x", "y", "z"]}},
    }
    for camera in recording.cameras:
        names = ["height", "width", "channels"]
        features[camera] = {"dtype": kind, "shape": [64, 80, 3], "names": names}
    features |= {key: {"dtype": dtype, "shape": [1], "names": None} for key, dtype in NUMBERING.items()}
    info = {
        "codebase_version": recording.version,
        "robot_type": "toy",
        "total_episodes": len(recording.lengths),
        "total_frames": sum(recording.lengths),
        "total_tasks": len(TASKS),
        "chunks_size": 1000,
        "fps": FPS,
        "splits": {"train": f"0:{len(recording.lengths)}"},
        "features": features,
    }
    (root / "meta/info.json").write_text(json.dumps(info | dict(recording.info), indent=4))


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def opened(root: Path, **options: Any) -> LeRobot:
    """The folder as a source; its errors are raised, as `open_dataset` does."""
    source = LeRobot(root, DataConfig(**options))
    refuse(source.errors)
    return source


def change_info(root: Path, **changes: Any) -> None:
    """Overwrite keys of meta/info.json; None deletes one."""
    path = root / "meta/info.json"
    info = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in info.items() if value is not None}))


def read_info(root: Path) -> dict[str, Any]:
    return json.loads((root / "meta/info.json").read_text())
