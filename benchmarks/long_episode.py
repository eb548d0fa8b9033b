"""Peak memory of a feature build whose one episode is long, above that of its encoder.

    python benchmarks/long_episode.py [--frames 3000] [--size 448] [--folder DIR]

An HDF5 file of one episode (gzip, one chunk a frame, all frames different) is written to DIR and removed at
the end. The encoder alone is a process that encodes one batch; the build is another process.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

from s2robot.datasets import open_dataset
from s2robot.encoders.cameras import CameraEncoders
from s2robot.features import FeaturesConfig, build_with_report
from s2robot.features.batches import BATCH_FRAMES

PICTURES = 50  # that the frames repeat, each time with another number in a corner


def frames_of(size: int, start: int, stop: int) -> np.ndarray:
    """Different frames, uint8 "t size size 3", of coarse random colours that compress well."""
    cells = -(-size // 4)
    coarse = np.random.default_rng(0).integers(0, 256, (PICTURES, 4, 4, 3), dtype=np.uint8)
    frames = coarse[np.arange(start, stop) % PICTURES].repeat(cells, 1).repeat(cells, 2)[:, :size, :size]
    frames[:, 0, 0, :2] = [divmod(i, 256) for i in range(start, stop)]
    return frames


def write(path: Path, frames: int, size: int) -> None:
    with h5py.File(path, "w") as file:
        file["data/demo_0/actions"] = np.zeros((frames, 7))
        images = file.create_dataset(
            "data/demo_0/obs/cam_image",
            (frames, size, size, 3),
            np.uint8,
            chunks=(1, size, size, 3),
            compression="gzip",
            compression_opts=1,
        )
        for start in range(0, frames, PICTURES):
            stop = min(start + PICTURES, frames)
            images[start:stop] = frames_of(size, start, stop)


def measure(what: str, path: Path, size: int) -> None:
    """Encode a batch or build the features, and print this process's largest resident memory in MiB."""
    encoders = CameraEncoders("lite0", (112,), backend="torch", device="cpu")
    if what == "encoder":
        encoders.encode("cam", frames_of(size, 0, BATCH_FRAMES))
    else:
        dataset, config = open_dataset(path, proprio=[]), FeaturesConfig(root=str(path.parent))
        build_with_report(dataset, "cam", encoders, config, progress=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--size", type=int, default=448, help="of a frame, in pixels")
    parser.add_argument(
        "--folder", help="where the file is written (default: the folder for temporary files)"
    )
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure[0], Path(args.measure[1]), args.size)
        return
    peaks = {}
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = Path(folder, "long.hdf5")
        write(path, args.frames, args.size)
        for what in ("encoder", "build"):
            words = [sys.executable, __file__, "--size", str(args.size), "--measure", what, str(path)]
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
            peaks[what] = float(done.stdout.split()[-1])
    pixels = args.frames * args.size**2 * 3 / 2**20
    above = peaks["build"] - peaks["encoder"]
    print(
        f"{args.frames} frames of {args.size} pixels ({pixels:.0f} MiB): peak {peaks['build']:.0f} MiB, "
        f"the encoder alone {peaks['encoder']:.0f} MiB, so {above:.0f} MiB above it"
    )


if __name__ == "__main__":
    main()
