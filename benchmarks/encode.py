"""Frames a second of the frozen encoder, of a feature build and of what a user has today, in one run.

    python benchmarks/encode.py [--encoder lite0] [--frames 64] [--turns 3]
    python benchmarks/encode.py --encoder deit3_s --frames 8    # random weights where they are not here

Every contender runs in a process of its own, in turns, and the best of its turns counts: other work on
the machine only ever makes a turn slower.

    s2wrapper            `s2wrapper.forward` over the same eager network on frames that are already normalised
    s2wrapper, tuned     the same with our allocator settings
    torch, openvino      our encoder, from uint8 frames
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import h5py
import numpy as np
import torch

from s2robot.encoders import ENCODERS, S2, NetworkEncoder, Pretrained
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.costs import weights_here
from s2robot.features import build_with_report
from s2robot.types import image_key

SIZES = (224, 448)
TURNS = 3
BATCH_FRAMES = 8  # what a user would choose for the reference; ours chooses for itself


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def frames_of(count: int, side: int = 448) -> np.ndarray:
    """Smooth moving frames, so that they compress like a rendered scene."""
    y, x = np.mgrid[0:side, 0:side]
    waves = [(np.sin((x + 7 * i) / 40) + np.cos((y - 5 * i) / 30)) for i in range(count)]
    grey = np.stack(waves)[..., None] * np.array([50, 40, 30]) + 128
    return grey.astype(np.uint8)


def pretrained(name: str) -> Pretrained:
    """The encoder with its weights, or with random ones where they are not here: as fast."""
    return ENCODERS[name]() if weights_here(name) else ENCODERS[name].untrained()


def time_ours(name: str, backend: str, count: int) -> float:
    encoder = S2(NetworkEncoder(pretrained(name), backend, "cpu"), SIZES)
    frames = frames_of(count)
    encoder.encode(frames[:2])
    return seconds(lambda: encoder.encode(frames)) / count


def time_reference(name: str, tuned: bool, count: int) -> float:
    import s2wrapper

    if tuned:
        keep_freed_memory()
    network = pretrained(name).build().eval()
    pixels = torch.from_numpy(frames_of(count)).permute(0, 3, 1, 2).float() / 127.5 - 1

    def maps(tiles: torch.Tensor) -> torch.Tensor:
        out = network(tiles)
        return out[0] if isinstance(out, tuple) else out

    def encode(batch: torch.Tensor) -> None:
        s2wrapper.forward(maps, batch, img_sizes=list(SIZES), max_split_size=SIZES[0], output_shape="bchw")

    with torch.no_grad():
        encode(pixels[:2])
        return seconds(lambda: [encode(batch) for batch in pixels.split(BATCH_FRAMES)]) / count


class DemoFile:
    """A `FrameSource` over an HDF5 file of generated frames, compressed as demonstrations are."""

    def __init__(self, path: str, episodes: int, length: int) -> None:
        self.identity = path
        self.episodes, self.lengths = [f"demo_{i}" for i in range(episodes)], [length] * episodes
        frames = frames_of(episodes * length).reshape(episodes, length, 448, 448, 3)
        with h5py.File(path, "w") as file:
            for episode, part in zip(self.episodes, frames, strict=True):
                file.create_dataset(
                    f"data/{episode}/obs/{image_key('agentview')}",
                    data=part,
                    chunks=(1, *part.shape[1:]),
                    compression="gzip",
                    compression_opts=1,
                )
        self._file = h5py.File(path)

    def image_size(self, camera: str) -> tuple[int, int]:
        return 448, 448

    def read_frames(self, episode: str, camera: str) -> np.ndarray:
        return self._file[f"data/{episode}/obs/{image_key(camera)}"][:]


def time_build(name: str, count: int) -> tuple[float, float, float]:
    """Seconds a frame of a build end to end, of the encoder alone in the same process, and of a gather."""
    with tempfile.TemporaryDirectory() as folder:
        source = DemoFile(f"{folder}/demos.hdf5", 4, count // 4)
        encoders = CameraEncoders(name, SIZES, device="cpu")
        encoders.encode("agentview", frames_of(2))
        frames = np.concatenate([source.read_frames(episode, "agentview") for episode in source.episodes])
        alone = seconds(lambda: encoders.encode("agentview", frames)) / count
        table, report = build_with_report(source, "agentview", encoders, folder, progress=False)
        assert report.frames_encoded == count
        table = table.to("cpu")
        indices = [torch.randint(0, count, (64, 2)) for _ in range(20)]
        gather = seconds(lambda: [table.gather(index) for index in indices]) / len(indices)
        return report.seconds / count, alone, gather


CONTENDERS: dict[str, Callable[[str, int], object]] = {
    "s2wrapper": lambda name, count: time_reference(name, False, count),
    "s2wrapper, tuned": lambda name, count: time_reference(name, True, count),
    "torch": lambda name, count: time_ours(name, "torch", count),
    "openvino": lambda name, count: time_ours(name, "openvino", count),
    "build": time_build,
}


def measured(contender: str, encoder: str, frames: int) -> list[float]:
    command = [sys.executable, "-W", "ignore", __file__, "--encoder", encoder, "--frames", str(frames)]
    output = subprocess.run([*command, "--one", contender], capture_output=True, text=True, check=True).stdout
    return [float(word) for word in output.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--encoder", default="lite0")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        result = CONTENDERS[args.one](args.encoder, args.frames)
        print(*(result if isinstance(result, tuple) else (result,)))
        return

    contenders = [c for c in CONTENDERS if c != "build" or weights_here(args.encoder)]
    turns = [{c: measured(c, args.encoder, args.frames) for c in contenders} for _ in range(args.turns)]
    best = {c: [min(values) for values in zip(*(turn[c] for turn in turns), strict=True)] for c in contenders}
    today, tiles = best["s2wrapper"][0], sum((size // SIZES[0]) ** 2 for size in SIZES)
    print(
        f"{args.encoder} at {' + '.join(map(str, SIZES))}, {args.frames} frames, best of {args.turns} turns"
    )
    print(f"{'':22}{'ms/frame':>10}{'ms/tile':>10}{'frames/s':>10}{'speed-up':>10}")
    for contender in contenders:
        spent = best[contender][0]
        columns = f"{spent * 1e3:10.2f}{spent * 1e3 / tiles:10.2f}{1 / spent:10.1f}{today / spent:9.1f}x"
        print(f"{contender:22}{columns}")
    if "build" not in contenders:
        print(f"the weights of {args.encoder} are not here: random ones, and no build")
        return
    built, alone, gather = min((turn["build"] for turn in turns), key=lambda times: times[0])
    print(f"build at {alone / built:.0%} of the encoder's own rate in the same process")
    print(f"gather of 64 x 2 frames from RAM: {gather * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
