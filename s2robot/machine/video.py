"""Videos: whether ffmpeg is there and its H.264 encoder works, tried on a second of frames."""

import subprocess
import tempfile
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from s2robot.errors import UserError
from s2robot.machine.finding import Finding
from s2robot.rollouts.video import Video

FRAMES, SIZE = 10, 64
MEND = "pip install imageio-ffmpeg (it brings one), or IMAGEIO_FFMPEG_EXE=/path/to/ffmpeg with libx264"


def findings() -> list[Finding]:
    try:
        name = f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()}"
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        return [Finding("video", str(error).splitlines()[0], MEND, ok=False)]
    try:
        frames = _written_and_read()
    except (UserError, OSError, RuntimeError, av.error.FFmpegError) as error:
        return [Finding("video", f"{name} writes no H.264 ({str(error).splitlines()[0]})", MEND, ok=False)]
    if frames < FRAMES:
        return [Finding("video", f"{name}: of {FRAMES} frames {frames} came back", MEND, ok=False)]
    return [Finding("video", f"{name} writes H.264")]


def _written_and_read() -> int:
    """How many frames a tiny video has that was written here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.mp4"
        video = Video(path, fps=FRAMES)
        for shade in range(FRAMES):
            video.add([np.full((SIZE, SIZE, 3), 20 * shade, np.uint8)], caption="")
        video.finish()
        with av.open(str(path)) as container:
            return sum(1 for _ in container.decode(video=0))
