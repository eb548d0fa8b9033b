"""Frames of episodes into MP4 files, episode after episode, in LeRobot's layout and with exact times."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from jaxtyping import UInt8

from s2robot.datasets.lerobot.info import CHUNKS_SIZE
from s2robot.datasets.lerobot.pixels import Pixels
from s2robot.errors import UserError

CODEC: Literal["libx264"] = "libx264"
PIXELS = "yuv420p"
# Every second frame is a key frame, so any frame is found by decoding two; no B-frames, so that frames are
# stored in the order in which they are shown.
OPTIONS = {"g": "2", "crf": "23", "bf": "0"}


class VideoWriter:
    """All videos of one camera. Frame i of a file is shown at exactly i / fps seconds."""

    def __init__(
        self, name: Callable[[Mapping[str, int]], Path], fps: int, limit_bytes: int, threads: int = 0
    ) -> None:
        """`name`: path of a file by its chunk_index and file_index; a new one begins at `limit_bytes`."""
        self._name, self._fps, self._limit_bytes, self._threads = name, fps, limit_bytes, threads
        self._file: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._path = Path()
        self._number = -1
        self._frames = 0  # in the file
        self._start = 0  # of the episode
        self._pixels = Pixels()

    def begin(self) -> None:
        """Begin an episode, in a new file if the last one is full."""
        # the file is not there before the encoder has given a first packet, which takes it some frames
        if self._file is not None and self._path.exists() and self._path.stat().st_size >= self._limit_bytes:
            self.close()
        self._start = self._frames

    def add(self, frames: UInt8[np.ndarray, "t h w 3"]) -> None:
        """Append frames of the episode."""
        file, stream = self._opened(*frames.shape[1:3])
        for frame in frames:
            picture = self._pixels.write(frame, PIXELS)
            picture.pts = self._frames
            picture.time_base = Fraction(1, self._fps)
            file.mux(stream.encode(picture))
            self._frames += 1

    def place(self) -> dict[str, int | float]:
        """Where the episode is, as the table of episodes has it."""
        return {
            **self._file_place(),
            "from_timestamp": self._start / self._fps,
            "to_timestamp": self._frames / self._fps,
        }

    def close(self) -> None:
        if self._file is not None and self._stream is not None:
            self._file.mux(self._stream.encode())
            self._file.close()
        self._file = self._stream = None
        self._frames = 0

    def _file_place(self) -> dict[str, int]:
        return {"chunk_index": self._number // CHUNKS_SIZE, "file_index": self._number % CHUNKS_SIZE}

    def _opened(self, height: int, width: int) -> tuple[OutputContainer, VideoStream]:
        if self._file is None or self._stream is None:
            self._number += 1
            self._path = self._name(self._file_place())
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = av.open(str(self._path), "w", options={"movflags": "+faststart"})
            stream = self._file.add_stream(CODEC, rate=self._fps, options=OPTIONS)
            stream.height, stream.width, stream.pix_fmt = height, width, PIXELS
            stream.codec_context.thread_count = self._threads
            self._stream = stream
        return self._file, self._stream


def check_size(camera: str, height: int, width: int) -> None:
    """Raise `UserError` for frames that this encoding cannot hold."""
    if height % 2 or width % 2:
        raise UserError(
            f"{camera}: frames of {height}x{width} cannot be stored as {PIXELS} video, which needs even "
            f"sides; store them as images (--lossless)"
        )


def described(height: int, width: int, fps: int) -> dict[str, int | str | bool]:
    """What `meta/info.json` says of a video."""
    return {
        "video.height": height,
        "video.width": width,
        "video.codec": "h264",
        "video.pix_fmt": PIXELS,
        "video.is_depth_map": False,
        "video.fps": fps,
        "video.channels": 3,
        "has_audio": False,
    }
