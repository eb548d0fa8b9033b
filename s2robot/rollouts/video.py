"""H.264 videos of episodes: camera views side by side, seed, step and names above, the outcome in colour.

Frames go to ffmpeg one by one, so a long episode takes no memory; the file gets its name when it is
whole. Imports no torch: rollout's simulators, which must start quickly, write the videos.
"""

import contextlib
import importlib.util
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from s2robot.errors import UserError
from s2robot.files import create_scratch
from s2robot.rollouts.decisions import FilmLayout

BORDER = 6  # pixels around the views, where the outcome shows; no view is covered
SMALLEST_TEXT, TEXT_SHARE = 15, 1 / 34  # height of letters in pixels, and in parts of the frame's width
LEAST_TEXT = 8  # height of a line in pixels, where views are narrow
LINES = 2  # of text above the views: seed, step and outcome; the names of the views
NEUTRAL, SUCCESS, FAILURE = (32, 34, 37), (22, 132, 72), (190, 44, 44)
HOLD_S = 1.0  # the last frame stays this long, with the outcome


def view_name(key: str) -> str:
    """The name of the view that is observed under a key: `agentview_image` -> `agentview`."""
    return key.removesuffix("_image")  # as in s2robot.types, which imports PyTorch


def check_films() -> None:
    """Raise `UserError` if videos cannot be written because their encoder is not installed."""
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        raise UserError("videos need imageio-ffmpeg: pip install imageio-ffmpeg, or film nothing (video=0)")


def frame_shape(view_shapes: Sequence[tuple[int, ...]]) -> tuple[int, int, int]:
    """Shape "h w 3" of the frame that holds views of these shapes; h and w are even, as H.264 requires."""
    width = BORDER + sum(shape[1] + BORDER for shape in view_shapes)
    height = caption_height(width) + max(shape[0] for shape in view_shapes) + BORDER
    return height + height % 2, width + width % 2, 3


def caption_height(width: int) -> int:
    """Pixels above the views in a frame of this width: the text grows with it, as pages shrink the frame."""
    return LINES * _line_height(width) + 4


def corners(view_shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
    """(left, top) of each view in the frame: side by side, centred in height."""
    tallest = max(shape[0] for shape in view_shapes)
    _, width, _ = frame_shape(view_shapes)
    lefts = accumulate((shape[1] + BORDER for shape in view_shapes[:-1]), initial=BORDER)
    tops = (caption_height(width - width % 2) + (tallest - shape[0]) // 2 for shape in view_shapes)
    return list(zip(lefts, tops, strict=True))


def compose(
    views: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    caption: str,
    colour: tuple[int, int, int] = NEUTRAL,
    names: Sequence[str] = (),
) -> UInt8[np.ndarray, "h w 3"]:
    """Views of any sizes side by side, framed in `colour`, below a line of text and their `names`."""
    shapes = [view.shape for view in views]
    frame = np.empty(frame_shape(shapes), np.uint8)
    frame[:] = colour
    places = corners(shapes)
    for view, (left, top) in zip(views, places, strict=True):
        frame[top : top + view.shape[0], left : left + view.shape[1]] = view
    _, width, _ = frame.shape
    line, above = _line_height(width), caption_height(width)
    strip = Image.fromarray(frame[:above])
    draw = ImageDraw.Draw(strip)
    font = _fitting(caption, line, width - 2 * BORDER)
    draw.text((BORDER, 2), caption, fill=(255, 255, 255), font=font)
    for name, (left, _), (_, wide, _) in zip(names, places, shapes, strict=False):
        draw.text((left, 2 + line), name, fill=(215, 218, 222), font=_fitting(name, line, wide))
    frame[:above] = np.asarray(strip)
    return frame


def _line_height(width: int) -> int:
    return round(1.25 * max(SMALLEST_TEXT, TEXT_SHARE * width))


def _fitting(text: str, line_height: int, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of such a line, smaller where the text would not fit into `width` pixels."""
    share = width / max(1.0, _font(line_height).getlength(text))
    return _font(line_height) if share >= 1 else _font(max(LEAST_TEXT, share * line_height - 1))


@cache
def _font(line_height: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(round(line_height / 1.25))  # comes with Pillow


class Video:
    """A video that is written frame by frame and appears under its name with `finish`."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        self._scratch: Path | None = None
        self._ffmpeg: subprocess.Popen | None = None
        self._told: IO[bytes] | None = None  # what ffmpeg complains of
        self._reason = "ffmpeg ended"

    def add(
        self,
        views: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        caption: str,
        colour: tuple[int, int, int] = NEUTRAL,
        names: Sequence[str] = (),
    ) -> None:
        """Append one frame, see `compose`; sizes stay those of the first call. Raises `UserError`."""
        frame = compose(views, caption, colour, names)
        if self._ffmpeg is None:
            self._scratch = create_scratch(self.path)
            self._told = tempfile.TemporaryFile()  # noqa: SIM115 - closed with ffmpeg
            self._ffmpeg = _start_ffmpeg(self._scratch, frame.shape, self.fps, self._told)
        assert self._ffmpeg.stdin is not None
        try:
            self._ffmpeg.stdin.write(frame.data)
        except BrokenPipeError:
            self._close()
            raise self._error() from None

    def finish(self) -> None:
        """Close the file and give it its name. Raises `UserError`."""
        if self._close() != 0 or self._scratch is None:
            raise self._error()
        self._scratch.replace(self.path)

    def _error(self) -> UserError:
        return UserError(f"{self.path} cannot be written: {self._reason}")

    def discard(self) -> None:
        """Delete what was written."""
        self._close()
        if self._scratch is not None:
            self._scratch.unlink(missing_ok=True)

    def _close(self) -> int:
        """Let ffmpeg write its end and go; gives its exit code."""
        if self._ffmpeg is None:
            return 0
        with contextlib.suppress(BrokenPipeError):  # it has ended, and its status says how
            self._ffmpeg.communicate()
        self._ffmpeg.wait()
        if self._told is not None:
            self._told.seek(0)
            lines = self._told.read(10_000).decode(errors="replace").splitlines()
            self._reason = lines[0].rpartition("] ")[2] if lines else self._reason
            self._told.close()
        code, self._ffmpeg = self._ffmpeg.returncode, None
        return code


class EpisodeVideo:
    """The video of one episode, written while the episode runs.

    Call `add` for every observation, then `finish` once. Without `finish` (`discard`, or a killed
    process) no file of this name appears.
    """

    def __init__(self, path: Path, seed: int, fps: float, names: Sequence[str] = ()) -> None:
        """`names` are those of the views."""
        self.path, self.seed, self.fps, self.names = path, seed, fps, names
        self._video = Video(path, fps)
        self._steps = -1
        self._last: list[np.ndarray] = []

    def add(self, views: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> None:
        """Append one frame; sizes stay those of the first call."""
        self._last = [np.array(view) for view in views]
        self._steps += 1
        self._video.add(self._last, f"seed {self.seed}   step {self._steps}", NEUTRAL, self.names)

    @property
    def layout(self) -> FilmLayout:
        """Where the views of the last frame are."""
        shapes = [view.shape for view in self._last]
        height, width, _ = frame_shape(shapes)
        places = {
            name: (left, top, shape[1], shape[0])
            for name, (left, top), shape in zip(self.names, corners(shapes), shapes, strict=False)
        }
        return FilmLayout((width, height), places)

    def finish(self, success: bool) -> None:
        """Hold the last frame with the outcome, close the file and give it its name; raises `OSError`."""
        word, colour = ("success", SUCCESS) if success else ("failure", FAILURE)
        for _ in range(max(1, round(HOLD_S * self.fps))):
            caption = f"seed {self.seed}   step {self._steps}   {word}"
            self._video.add(self._last, caption, colour, self.names)
        self._video.finish()

    def discard(self) -> None:
        """Delete what was written."""
        self._video.discard()


def _start_ffmpeg(path: Path, shape: tuple[int, ...], fps: float, told: IO[bytes]) -> subprocess.Popen:
    """ffmpeg reading raw frames of `shape` "h w 3" from its stdin; its complaints go to the file `told`.

    Started here rather than by `imageio_ffmpeg.write_frames`, which puts it in a process group of its
    own: killing a worker must end its ffmpeg too.
    """
    height, width, _ = shape
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-"]
    # one thread, as simulation and policy need the cores; faststart: the video plays while it loads
    target = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast", "-crf", "21"]
    target += ["-threads", "1", "-movflags", "+faststart", "-f", "mp4", str(path)]
    import imageio_ffmpeg  # only who films needs it

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *source, *target]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=told)
