"""A store of a million frames: opening it, gathering from it, placing it in RAM, and training from the disk.

    python benchmarks/store.py [--frames 1000000] [--batch 256] [--grid 3] [--folder DIR]

Random features of 2 KB a frame (3 x 3 cells) in episodes of 100, as a build would leave them (2 GB in DIR,
removed at the end). The plain read is `rows[indices]` on a NumPy memory map of the same file, in turns with
ours, with the same indices.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from inputs import Made

from s2robot.datasets.windows import Windows
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.cameras import CameraEncoders
from s2robot.features import CameraStore, FeaturesConfig, FeatureTable, place
from s2robot.features.hashing import HASH
from s2robot.features.writer import Writer
from s2robot.policies import make_policy
from s2robot.policies.observation import Statistics
from s2robot.policies.options.bc import BCConfig
from s2robot.training.batches import batches
from s2robot.training.options import OptimConfig
from s2robot.training.trainer import Trainer
from s2robot.types import CameraSpec, Spec

LENGTH = 100  # frames of an episode
TURNS, BATCHES, STEPS, PLACINGS = 9, 50, 200, 5


class Source:
    """A dataset of which only the lengths are known: no frame of it is ever read."""

    def __init__(self, frames: int) -> None:
        self.path = Path(f"{frames} random frames")
        self.episodes = [f"demo_{i}" for i in range(frames // LENGTH)]
        self.lengths = [LENGTH] * len(self.episodes)

    def image_size(self, camera: str) -> tuple[int, int]:
        return 32, 32

    def episode_identity(self, episode: str, camera: str) -> str:
        return f"{self.path} {episode}"

    def read_frames(self, episode: str, camera: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        raise AssertionError(f"{episode} was read although its features are stored")


def open_store(folder: str, frames: int, grid: int) -> CameraStore:
    encoders = CameraEncoders("lite0", (32,), output_grid=(grid, grid), backend="torch", device="cpu")
    return CameraStore(Source(frames), "cam", encoders, FeaturesConfig(root=folder))


def fill(folder: str, frames: int, grid: int) -> None:
    """What a build leaves: rows, their records and index, and the manifest of the episodes."""
    opened, rng = open_store(folder, frames, grid), np.random.default_rng(0)
    with Writer(opened.store) as writer:
        for start in range(0, frames, 100 * LENGTH):
            count = min(100 * LENGTH, frames - start)
            hashes = rng.integers(0, 2**64, 2 * count, np.uint64).view(HASH)
            rows = rng.standard_normal((count, opened.store.row.numbers), dtype=np.float32)
            writer.append(hashes, rows.astype(np.float16))
            writer.commit()
            first = start // LENGTH
            parts = np.split(hashes, range(LENGTH, count, LENGTH))
            writer.remember({opened.key_of(first + i): part for i, part in enumerate(parts)})


def resident_mb(field: str = "VmRSS") -> float:
    """Resident memory of this process; `RssAnon` leaves out the files that are mapped."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def measure(folder: str, frames: int, batch: int, grid: int) -> None:
    keep_freed_memory()
    open_store(
        folder, 0, grid
    )  # the encoder's weights are read and hashed once, which is no part of the opening
    start = time.perf_counter()
    opened = open_store(folder, frames, grid)
    table = place({"cam": opened.table()}, "cpu", "disk")["cam"]
    row_bytes = opened.store.row_bytes
    print(f"opened in {time.perf_counter() - start:.2f} s: {len(table)} frames of {row_bytes} bytes")
    train(table)
    (segment,) = opened.snapshot.segments
    gather(table, segment.rows_file, batch)
    placing(opened)


def placing(opened: CameraStore) -> None:
    """Into RAM, each row's checksum compared, and the same copy without that, in turns."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * PLACINGS + 2):
        checked, data = turn % 2 == 0, opened.store.rows(opened.snapshot)
        data.checked[:] = not checked
        table = FeatureTable(data, opened.store.row, torch.from_numpy(opened.rows), opened.source.lengths)
        start = time.perf_counter()
        table.to("cpu")
        if turn > 1:  # once each, so that all is in the page cache
            seconds[checked].append(time.perf_counter() - start)
    checked_s, plain_s = (statistics.median(seconds[checked]) for checked in (True, False))
    share = statistics.median(c / p for c, p in zip(seconds[True], seconds[False], strict=True))
    print(
        f"placed in RAM in {checked_s:.2f} s with checksums compared, {plain_s:.2f} s without: "
        f"median ratio {share:.2f}"
    )


def gather(table: FeatureTable, file: Path, batch: int) -> None:
    plain = np.memmap(file, np.float16, "r", shape=(len(table), *table.shape))
    generator = torch.Generator().manual_seed(0)
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(TURNS):
        frames = torch.randint(len(table), (BATCHES, batch, 2), generator=generator)
        indices = frames.numpy()
        for part in frames:  # once, so that both read from the page cache and find it mapped
            plain[part.numpy()]
            table.gather(part)
        start = time.perf_counter()
        for part in frames:
            table.gather(part)
        seconds["ours"].append(time.perf_counter() - start)
        start = time.perf_counter()
        for part in indices:
            plain[part]
        seconds["plain"].append(time.perf_counter() - start)
    share = statistics.median(p / o for o, p in zip(seconds["ours"], seconds["plain"], strict=True))
    gigabytes = BATCHES * batch * 2 * int(np.prod(table.shape)) * 2 / 1e9
    rates = {name: gigabytes / statistics.median(values) for name, values in seconds.items()}
    print(
        f"gather of {batch} x 2 frames: {rates['ours']:.2f} GB/s, plain memory-mapped read "
        f"{rates['plain']:.2f} GB/s, median ratio {share:.0%}"
    )


def train(table: FeatureTable) -> None:
    actions = np.random.default_rng(0).uniform(-1, 1, (len(table), 7)).astype(np.float32)
    spec = Spec("", {}, 7, {}, {"cam": CameraSpec("cam_image", (32, 32), table.shape)})
    policy = make_policy(spec, BCConfig())
    policy.fit(Statistics({"cam": table.channel_stats(table.frames)}, {}, actions[:1000]))
    optim = OptimConfig()
    trainer = Trainer(policy.train(), optim, Path(), {})
    episodes = range(len(table.offsets) - 1)
    windows = Windows(Made(table.offsets, actions), {"cam": table}, policy.config, episodes)
    start = time.perf_counter()
    for batch in batches(windows, optim.batch_size, 0, range(STEPS), torch.device("cpu")):
        trainer.update(policy.loss(batch)[0])
    step_ms = (time.perf_counter() - start) / STEPS * 1e3
    print(
        f"training from the disk: {step_ms:.1f} ms a step, resident memory {resident_mb():.0f} MB "
        f"({resident_mb('RssAnon'):.0f} MB without mapped files)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--grid", type=int, default=3, help="rows and columns of cells of a frame's features")
    parser.add_argument("--folder", help="where the store is made (default: the folder for temporary files)")
    parser.add_argument("--made", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.made:
        measure(args.made, args.frames, args.batch, args.grid)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        fill(folder, args.frames, args.grid)
        words = ["--made", folder, "--frames", str(args.frames), "--batch", str(args.batch)]
        words += ["--grid", str(args.grid)]
        subprocess.run([sys.executable, __file__, *words], check=True)  # memory of a process of its own


if __name__ == "__main__":
    main()
