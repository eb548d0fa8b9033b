"""What a feature build from MP4 costs beside decoding alone and encoding alone, in one run.

    python benchmarks/video.py                           # lite0 at 224 + 448, frames of 640x480, H.264, GOP 2
    python benchmarks/video.py --frames 600 --turns 5 --device cuda

    decode, plain    every frame of the video as an RGB array with PyAV's own loop
    decode, ours     the same frames through the dataset, in the pieces that a build reads
    seeking          the same with a seek for each frame, as a loader of single frames does (a part of them)
    encode           the encoder alone, on frames that are in memory
    build            the features of the dataset, from the MP4 to the store
    ratio            build / (decode, plain + encode); 1.15 is what is to be reached at most

The turns alternate and the best of each counts: other work on the machine only ever makes a turn slower. On a
busy machine look at the processor's time (of all threads), which other work changes least.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.lerobot.info import Feature
from s2robot.datasets.lerobot.writer import LeRobotWriter
from s2robot.encoders.cameras import CameraEncoders
from s2robot.features import FeaturesConfig, build_with_report
from s2robot.features.reading import PIECE_BYTES

CAMERA, KEY = "top", "observation.images.top"
EPISODES, FPS = 4, 30
HEIGHT, WIDTH = 480, 640
SOUGHT = 40  # frames that are read with a seek each
TARGET = 1.15


def seconds(function: Callable[[], object]) -> np.ndarray:
    """Seconds by the clock, and of processor time."""
    start = np.array([time.perf_counter(), time.process_time()])
    function()
    return np.array([time.perf_counter(), time.process_time()]) - start


def frames_of(start: int, count: int) -> np.ndarray:
    """Moving waves with a camera's noise, so that they compress like a filmed scene."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rng = np.random.default_rng(start)
    frames = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
    for i in range(count):
        wave = np.sin((x + 7 * (start + i)) / 40) + np.cos((y - 5 * (start + i)) / 30)
        noise = rng.normal(0, 2, (HEIGHT, WIDTH, 1))
        frames[i] = np.clip(wave[..., None] * np.array([50, 40, 30]) + 128 + noise, 0, 255)
    return frames


def write_set(out: Path, frames: int) -> Dataset:
    """A LeRobot folder of EPISODES episodes, `frames` in all."""
    features = {"action": Feature("float32", (7,)), KEY: Feature("video", (HEIGHT, WIDTH, 3))}
    length = frames // EPISODES
    with LeRobotWriter(out, features, FPS) as writer:
        for i in range(EPISODES):
            with writer.episode("benchmark") as episode:
                for start in range(i * length, (i + 1) * length, 32):
                    count = min(32, (i + 1) * length - start)
                    episode.add({"action": np.zeros((count, 7), np.float32), KEY: frames_of(start, count)})
        writer.finish()
    return open_dataset(out, proprio=[])


def decode_plain(path: Path) -> int:
    """Decode a whole file with PyAV's loop; the number of frames."""
    count = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            frame.to_ndarray(format="rgb24")
            count += 1
    return count


def decode_ours(dataset: Dataset) -> None:
    """Every frame through the dataset, in the pieces of a build."""
    step = PIECE_BYTES // (HEIGHT * WIDTH * 3)
    for name, length in zip(dataset.episodes, dataset.lengths, strict=True):
        for start in range(0, length, step):
            dataset.read_frames(name, CAMERA, start, start + step)


def decode_seeking(path: Path, count: int) -> None:
    """The first frames of a file, each with a seek of its own."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        for i in range(count):
            container.seek(round(i / FPS / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if frame.time >= i / FPS - 1e-4:
                    frame.to_ndarray(format="rgb24")
                    break


def build(dataset: Dataset, encoders: CameraEncoders) -> None:
    """Into a store of its own, so that every frame is encoded."""
    with tempfile.TemporaryDirectory() as root:
        _, report = build_with_report(dataset, CAMERA, encoders, FeaturesConfig(root=root), progress=False)
        assert report.frames_encoded == dataset.offsets[-1], "equal frames: the build encoded fewer"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--encoder", default="lite0")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 448])
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_set(Path(folder) / "set", args.frames)
        total = int(dataset.offsets[-1])
        video = next(dataset.path.glob(f"videos/{KEY}/*/*.mp4"))
        encoders = CameraEncoders(args.encoder, args.sizes, device=args.device)
        in_memory = np.concatenate([dataset.read_frames(name, CAMERA) for name in dataset.episodes])
        encoders.encode(CAMERA, in_memory[:64])  # what is done once
        assert decode_plain(video) == total
        contenders: dict[str, tuple[Callable[[], object], int]] = {
            "decode, plain": (lambda: decode_plain(video), total),
            "decode, ours": (lambda: decode_ours(dataset), total),
            "seeking": (lambda: decode_seeking(video, SOUGHT), SOUGHT),
            "encode": (
                lambda: [encoders.encode(CAMERA, in_memory[i : i + 64]) for i in range(0, total, 64)],
                total,
            ),
            "build": (lambda: build(dataset, encoders), total),
        }
        best = dict.fromkeys(contenders, np.full(2, np.inf))
        for _ in range(args.turns):
            for name, (run, count) in contenders.items():
                best[name] = np.minimum(best[name], seconds(run) / count)
        print(f"{total} frames of {WIDTH}x{HEIGHT}, {video.stat().st_size / total / 1024:.0f} KiB each")
        for name, (clock_s, cpu_s) in best.items():
            print(
                f"{name:15}{1 / clock_s:8.0f} frames/s {1000 * clock_s:8.2f} ms, CPU {1000 * cpu_s:8.2f} ms"
            )
        clock, cpu = best["build"] / (best["decode, plain"] + best["encode"])
        print(f"build / (decode, plain + encode) = {clock:.3f}, CPU {cpu:.3f} (to be at most {TARGET})")


if __name__ == "__main__":
    main()
