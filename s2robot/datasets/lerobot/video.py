"""Frames of an MP4 by their times, decoded forward and never with a seek for each.

A frame is the one whose presentation time is nearest to the time that is looked for (LeRobot's frame rule).
The decoder stays open where a read stopped, so that reading on costs no seek; it holds a few frames.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from jaxtyping import Float, UInt8

from s2robot.datasets.lerobot.files import check_mp4
from s2robot.datasets.lerobot.pixels import Pixels
from s2robot.datasets.limits import check_size
from s2robot.errors import UserError

# A seek goes to a key frame this many frames before the wanted one: in an HEVC file with open groups of
# pictures the frames displayed before a key frame cannot be decoded after a seek to it.
SEEK_MARGINS = (16, 128)
FORWARD_FRAMES = 64  # gaps up to this are decoded and thrown away rather than skipped by a seek
LONGEST_S = 1e9  # a seek beyond this is one to the end
CLOSE_S = 1e-4  # a frame this near is not compared with the next, which would have to be decoded


class Video:
    """One opened file."""

    def __init__(self, path: Path, fps: float, first_start_s: float = 0.0, threads: int = 0) -> None:
        """`fps` of the dataset; `first_start_s`: the earliest time at which one of its episodes begins here.

        Times count from the file's first frame, wherever its time stamps begin, except where the first
        episode itself begins at that time stamp. `threads` of the decoder, 0: as many as there are cores.
        """
        check_mp4(path)
        self.path = path
        self.decoded = 0  # frames so far, those included that nobody wanted
        self._frame_s = 1 / fps
        self._threads = threads
        self._pixels = Pixels()
        self._previous: VideoFrame | None = None  # what was decoded last, and before that
        self._current: VideoFrame | None = None
        self._open()
        self._begin_s = float((self._stream.start_time or 0) * self._unit_s)
        absolute = abs(first_start_s - self._begin_s) < self._frame_s / 2
        self._offset_s = 0.0 if absolute else self._begin_s

    @property
    def begins_at_zero(self) -> bool:
        """Whether times count from the file's first frame whichever episodes are in it."""
        return abs(self._begin_s) < CLOSE_S

    @property
    def shape(self) -> tuple[int, int, int]:
        """(h, w, 3) of the frames, as the file's header says."""
        return self._stream.height, self._stream.width, 3

    @property
    def rate(self) -> float:
        """Frames a second, on average; 0 where the file does not say."""
        return float(self._stream.average_rate or 0)

    @property
    def lasts_s(self) -> float:
        """From the first frame to the end, as the file's header says; 0 where it does not."""
        return float((self._stream.duration or 0) * self._unit_s)

    @property
    def codec(self) -> str:
        return self._stream.codec.canonical_name

    @property
    def pixels(self) -> str:
        """FFmpeg's name of the pixel format: "yuv420p", "gray12le"."""
        return self._stream.pix_fmt or ""

    def read(self, times_s: Float[np.ndarray, "t"]) -> tuple[UInt8[np.ndarray, "t h w 3"], np.ndarray]:
        """The frames nearest to these times, which rise, and how far each is from its time, in seconds."""
        targets = times_s + self._offset_s
        frames = np.empty((len(targets), *self.shape), np.uint8)
        off_s = np.empty(len(targets))
        if len(targets):
            self._go_to(float(targets[0]))
        for i, target in enumerate(targets):
            frame = self._nearest(float(target))
            off_s[i] = abs(_time_s(frame) - target)
            self._convert(frame, frames[i])
        return frames, off_s

    def close(self) -> None:
        self._previous = self._current = None
        self._container.close()

    def _open(self) -> None:
        try:
            self._container: InputContainer = av.open(str(self.path), metadata_errors="replace")
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"{self.path} cannot be opened as a video: {error.strerror}") from error
        if not self._container.streams.video:
            self._container.close()
            raise UserError(f"{self.path} holds no video")
        self._stream = self._container.streams.video[0]
        if self._stream.codec_context is None:
            self._container.close()
            raise UserError(f"{self.path} holds a video of an unknown codec")
        try:
            check_size(*self.shape[:2])
        except ValueError as error:
            self._container.close()
            raise UserError(f"{self.path}: {error}") from error
        # a file without a time base has no time stamps either, which `_advance` reports
        self._unit_s = self._stream.time_base or Fraction(1)
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = self._threads
        self._restart()

    def _restart(self) -> None:
        self._frames: Iterator[VideoFrame] = self._container.decode(self._stream)
        self._previous = self._current = None
        self._started = False

    def _go_to(self, target_s: float) -> None:
        """Stand where decoding forward meets the frame of this time: by reading on, by a seek, or afresh."""
        if self._is_ahead(target_s):
            return
        for margin in SEEK_MARGINS:
            seek_s = target_s - margin * self._frame_s
            if seek_s <= self._begin_s:
                break
            self._container.seek(round(min(seek_s, LONGEST_S) / self._unit_s), stream=self._stream)
            self._restart()
            self._advance()
            if self._current is not None and _time_s(self._current) <= target_s:
                return
        if self._started:
            self._container.close()
            self._open()
        self._advance()

    def _is_ahead(self, target_s: float) -> bool:
        """Whether the frame of this time is held or comes soon."""
        behind = self._previous or self._current
        if behind is None or _time_s(behind) > target_s + CLOSE_S:
            return False
        return self._current is None or target_s - _time_s(self._current) <= FORWARD_FRAMES * self._frame_s

    def _nearest(self, target_s: float) -> VideoFrame:
        while self._current is not None and _time_s(self._current) < target_s - CLOSE_S:
            self._advance()
        held = [frame for frame in (self._previous, self._current) if frame is not None]
        if not held:
            raise UserError(f"{self.path}: no frame can be decoded; is the file truncated?")
        frame = min(held, key=lambda frame: abs(_time_s(frame) - target_s))
        if frame.is_corrupt:
            raise UserError(f"{self.path}: the frame at {target_s:.3f} s is damaged")
        return frame

    def _advance(self) -> None:
        self._started = True
        self._previous = self._current
        try:
            self._current = next(self._frames, None)
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"{self.path} cannot be decoded: {error.strerror}") from error
        self.decoded += self._current is not None
        if self._current is not None and self._current.pts is None:
            raise UserError(f"{self.path}: a frame has no time stamp")

    def _convert(self, frame: VideoFrame, out: UInt8[np.ndarray, "h w 3"]) -> None:
        if (frame.height, frame.width) != self.shape[:2]:
            raise UserError(
                f"{self.path}: the frame at {_time_s(frame):.3f} s has {frame.width}x{frame.height} pixels; "
                f"expected {self.shape[1]}x{self.shape[0]} as in the file's header"
            )
        self._pixels.read(frame, out)


def _time_s(frame: VideoFrame) -> float:
    assert frame.time is not None  # `_advance` refuses those
    return frame.time
