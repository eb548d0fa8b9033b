"""H.264 videos of episodes: camera views side by side, the seed and step above, the outcome in colour.

Frames go to ffmpeg one by one, so a long episode takes no memory; the file gets its name when it is
whole. Imports no torch: rollout's simulators, which must start quickly, write the videos.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from s2robot.files import create_scratch

BORDER = 6  # pixels around the views, where the outcome shows; no view is covered
CAPTION = 26  # pixels above the views
NEUTRAL, SUCCESS, FAILURE = (32, 34, 37), (22, 132, 72), (190, 44, 44)
HOLD_S = 1.0  # the last frame stays this long, with the outcome


def frame_shape(view_shapes: Sequence[tuple[int, ...]]) -> tuple[int, int, int]:
    """Shape "h w 3" of the frame that holds views of these shapes; h and w are even, as H.264 requires."""
    height = CAPTION + max(shape[0] for shape in view_shapes) + BORDER
    width = BORDER + sum(shape[1] + BORDER for shape in view_shapes)
    return height + height % 2, width + width % 2, 3


def compose(
    views: Sequence[UInt8[np.ndarray, "_ _ 3"]], caption: str, colour: tuple[int, int, int] = NEUTRAL
) -> UInt8[np.ndarray, "h w 3"]:
    """Views of any sizes side by side, centred in height, framed in `colour` below a line of text."""
    frame = np.empty(frame_shape([view.shape for view in views]), np.uint8)
    frame[:] = colour
    tallest = max(view.shape[0] for view in views)
    left = BORDER
    for view in views:
        height, width, _ = view.shape
        top = CAPTION + (tallest - height) // 2
        frame[top : top + height, left : left + width] = view
        left += width + BORDER
    strip = Image.fromarray(frame[:CAPTION])
    ImageDraw.Draw(strip).text((BORDER, 4), caption, fill=(255, 255, 255), font=_FONT)
    frame[:CAPTION] = np.asarray(strip)
    return frame


_FONT = ImageFont.load_default(15)  # comes with Pillow


class Video:
    """A video that is written frame by frame and appears under its name with `finish`."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        self._scratch: Path | None = None
        self._ffmpeg: subprocess.Popen | None = None

    def add(
        self,
        views: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        caption: str,
        colour: tuple[int, int, int] = NEUTRAL,
    ) -> None:
        """Append one frame, see `compose`; sizes stay those of the first call."""
        frame = compose(views, caption, colour)
        if self._ffmpeg is None:
            self._scratch = create_scratch(self.path)
            self._ffmpeg = _start_ffmpeg(self._scratch, frame.shape, self.fps)
        assert self._ffmpeg.stdin is not None
        self._ffmpeg.stdin.write(frame.data)

    def finish(self) -> None:
        """Close the file and give it its name; raises `OSError`."""
        if self._close() != 0 or self._scratch is None:
            raise OSError(f"ffmpeg could not write {self._scratch}")
        self._scratch.replace(self.path)

    def discard(self) -> None:
        """Delete what was written."""
        self._close()
        if self._scratch is not None:
            self._scratch.unlink(missing_ok=True)

    def _close(self) -> int:
        """Let ffmpeg write its end and go; gives its exit code."""
        if self._ffmpeg is None:
            return 0
        self._ffmpeg.communicate()
        code, self._ffmpeg = self._ffmpeg.returncode, None
        return code


class EpisodeVideo:
    """The video of one episode, written while the episode runs.

    Call `add` for every observation, then `finish` once. Without `finish` (`discard`, or a killed
    process) no file of this name appears.
    """

    def __init__(self, path: Path, seed: int, fps: float) -> None:
        self.path, self.seed, self.fps = path, seed, fps
        self._video = Video(path, fps)
        self._steps = -1
        self._last: list[np.ndarray] = []

    def add(self, views: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> None:
        """Append one frame; sizes stay those of the first call."""
        self._last = [np.array(view) for view in views]
        self._steps += 1
        self._video.add(self._last, f"seed {self.seed}   step {self._steps}")

    def finish(self, success: bool) -> None:
        """Hold the last frame with the outcome, close the file and give it its name; raises `OSError`."""
        word, colour = ("success", SUCCESS) if success else ("failure", FAILURE)
        for _ in range(max(1, round(HOLD_S * self.fps))):
            self._video.add(self._last, f"seed {self.seed}   step {self._steps}   {word}", colour)
        self._video.finish()

    def discard(self) -> None:
        """Delete what was written."""
        self._video.discard()


def _start_ffmpeg(path: Path, shape: tuple[int, ...], fps: float) -> subprocess.Popen:
    """ffmpeg reading raw frames of `shape` "h w 3" from its stdin.

    Started here rather than by `imageio_ffmpeg.write_frames`, which puts it in a process group of its
    own: killing a worker must end its ffmpeg too.
    """
    height, width, _ = shape
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-"]
    # one thread, as simulation and policy need the cores; faststart: the video plays while it loads
    target = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast", "-crf", "21"]
    target += ["-threads", "1", "-movflags", "+faststart", "-f", "mp4", str(path)]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *source, *target]
    return subprocess.Popen(command, stdin=subprocess.PIPE)
