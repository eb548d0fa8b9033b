"""One video of many: the filmed episodes side by side, each holding its last frame until all have ended."""

import math
import subprocess
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg

from s2robot.errors import UserError
from s2robot.files import replacing

TILE_WIDTH = 480  # pixels of each episode
MOST = 16  # episodes


def write_grid(videos: Sequence[Path], path: Path) -> None:
    """Write the first `MOST` of two or more videos of one size as one H.264 video.

    Raises `OSError` if ffmpeg cannot read them or write it.
    """
    shown = list(videos[:MOST])
    columns = math.ceil(math.sqrt(len(shown)))
    read = [word for video in shown for word in ("-i", str(video))]
    # `cloned` frames at the end: a short episode stays as it ended while longer ones go on
    tiles = [f"[{i}:v]scale={TILE_WIDTH}:-2,tpad=stop_mode=clone:stop=-1[t{i}]" for i in range(len(shown))]
    places = "|".join(f"{_along('w', i % columns)}_{_along('h', i // columns)}" for i in range(len(shown)))
    stack = (
        "".join(f"[t{i}]" for i in range(len(shown)))
        + f"xstack=inputs={len(shown)}:layout={places}:fill=black"
    )
    seconds = max(_seconds(video) for video in shown)
    with replacing(path) as scratch:
        target = ["-t", f"{seconds:.3f}", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast"]
        target += ["-crf", "24", "-movflags", "+faststart", "-f", "mp4", str(scratch)]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *read]
        command += ["-filter_complex", ";".join([*tiles, stack]), *target]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(f"{path} cannot be written: {' '.join(done.stderr.split())[:300]}")


def _along(side: str, tiles: int) -> str:
    """Where the tile after so many begins, as xstack writes it: w0+w0."""
    return "+".join([f"{side}0"] * tiles) or "0"


def _seconds(video: Path) -> float:
    return float(imageio_ffmpeg.count_frames_and_secs(str(video))[1])
