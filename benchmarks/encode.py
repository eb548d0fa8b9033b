"""Frames a second of the frozen encoder, of a feature build and of what a user has today, in one run.

    python benchmarks/encode.py                                     # lite0 and a ViT-S/16
    python benchmarks/encode.py --encoders lite0 --frames 64 --turns 3 --compile

Every contender runs in a process of its own, in turns, and the best of its turns counts: other work on
the machine only ever makes a turn slower. Random weights where an encoder's own are not here: as fast.

    s2wrapper            `s2wrapper.forward` over the same eager network on frames that are already normalised
    s2wrapper, tuned     the same with our allocator settings
    torch, openvino      our encoder, from uint8 frames; `difference` is that of its features, without
                         antialiasing as in the reference, from those of s2wrapper, relative to the largest
    openvino bfloat16    the same with encoder.precision=bfloat16, on CPUs with AMX or AVX512-BF16
    limit                what the encoder's operations would take at the rate of one large matrix product
    build                the features of an HDF5 file, beside the encoder alone in the same process
    training step        of the default `bc` with features out of the store, beside one that encodes them
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import torch
from inputs import Made

from s2robot.datasets.windows import Windows
from s2robot.encoders import ENCODERS
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.backends.openvino import computes_bfloat16
from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.costs import cost, weights_here
from s2robot.encoders.network import NetworkEncoder, Pretrained
from s2robot.encoders.options import EncoderConfig
from s2robot.encoders.s2 import S2
from s2robot.features import FeaturesConfig, build, build_with_report
from s2robot.policies import make_policy
from s2robot.policies.observation import Statistics
from s2robot.policies.options.bc import BCConfig
from s2robot.training.batches import batches
from s2robot.training.options import OptimConfig
from s2robot.training.trainer import Trainer
from s2robot.types import Batch, CameraSpec, Features, Observation, Spec, image_key

SIZES = (224, 448)
TURNS = 3
BFLOAT16 = "openvino bfloat16"
BUILD_EPISODES = 16  # of a quarter of the frames each: what a build does once should not count
STEPS = 20  # of training, timed
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


def time_ours(name: str, backend: str, count: int, precision: str = "float32") -> tuple[float, float]:
    """Seconds a frame, and the largest difference from s2wrapper's features relative to the largest one."""
    torch.manual_seed(0)
    weights = pretrained(name)
    options = EncoderConfig.of(sizes=SIZES, backend=backend, precision=precision)
    encoder = S2(NetworkEncoder(weights, options, "cpu"))
    frames = frames_of(count)
    encoder.encode(frames[:2])
    frame_s = seconds(lambda: encoder.encode(frames)) / count
    torch.manual_seed(0)
    as_reference = replace(options, antialias=False)
    exact = S2(NetworkEncoder(weights, as_reference, "cpu")).encode(frames[:2]).map
    torch.manual_seed(0)  # random weights, where the encoder's are not here, are the same in both
    expected = reference(weights)(normalised(weights, frames[:2]))
    return frame_s, float((exact - expected).abs().max() / expected.abs().max())


def normalised(weights: Pretrained, frames: np.ndarray) -> torch.Tensor:
    mean, std = (torch.tensor(values)[:, None, None] for values in (weights.spec.mean, weights.spec.std))
    return (torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255 - mean) / std


def reference(weights: Pretrained, sizes: Sequence[int] = SIZES) -> Callable[[torch.Tensor], torch.Tensor]:
    """`s2wrapper.forward` over the eager network."""
    import s2wrapper

    network = weights.build().eval()

    def maps(tiles: torch.Tensor) -> torch.Tensor:
        out = network(tiles)
        return out[0] if isinstance(out, tuple) else out

    @torch.no_grad()
    def encode(batch: torch.Tensor) -> torch.Tensor:
        return s2wrapper.forward(
            maps, batch, img_sizes=list(sizes), max_split_size=sizes[0], output_shape="bchw"
        )

    return encode


def time_reference(name: str, tuned: bool, count: int) -> float:
    if tuned:
        keep_freed_memory()
    weights = pretrained(name)
    encode, pixels = reference(weights), normalised(weights, frames_of(count))
    encode(pixels[:2])
    return seconds(lambda: [encode(batch) for batch in pixels.split(BATCH_FRAMES)]) / count


def time_limit(name: str, count: int) -> float:
    """Seconds a frame of a network whose every operation is done at the speed of a float32 matrix product."""
    a, b = torch.rand(2, 2048, 2048)
    product_s = min(seconds(lambda: a @ b) for _ in range(10))
    return cost(name, SIZES, timed=False).gflops * 1e9 / (2 * 2048**3) * product_s


class DemoFile:
    """A `FrameSource` over an HDF5 file of generated frames, compressed as demonstrations are."""

    def __init__(self, path: str, episodes: int, length: int) -> None:
        self.path = Path(path)
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

    def episode_identity(self, episode: str, camera: str) -> str:
        return f"{self.path} {episode}"

    def read_frames(self, episode: str, camera: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        return self._file[f"data/{episode}/obs/{image_key('agentview')}"][start:stop]


def time_build(name: str, count: int) -> tuple[float, float]:
    """Seconds a frame of a build end to end, and of the encoder alone in the same process."""
    with tempfile.TemporaryDirectory() as folder:
        source = DemoFile(f"{folder}/demos.hdf5", BUILD_EPISODES, count // 4)
        encoders = CameraEncoders(name, SIZES, device="cpu")
        encoders.encode("agentview", frames_of(2))
        frames = np.concatenate([source.read_frames(episode, "agentview") for episode in source.episodes])
        alone = seconds(lambda: encoders.encode("agentview", frames)) / len(frames)
        _, report = build_with_report(
            source, "agentview", encoders, FeaturesConfig(root=folder), progress=False
        )
        assert report.frames_encoded == len(frames)
        return report.seconds / len(frames), alone


def time_step(name: str, count: int) -> tuple[float, float]:
    """Seconds of a training step of `bc` (two cameras) from the store, and of one that encodes."""
    keep_freed_memory()  # as `s2robot train` does
    with tempfile.TemporaryDirectory() as folder:
        source = DemoFile(f"{folder}/demos.hdf5", 4, count // 4)
        encoders = CameraEncoders(name, SIZES, device="cpu")
        config = FeaturesConfig(root=folder)
        table = build(source, "agentview", encoders, config, progress=False).to("cpu")
        tables = dict.fromkeys(("agentview", "robot0_eye_in_hand"), table)
        rng = np.random.default_rng(0)
        actions = rng.uniform(-1, 1, (len(table), 7)).astype(np.float32)
        cameras = {c: CameraSpec(image_key(c), (448, 448), table.shape, len(SIZES)) for c in tables}
        spec = Spec("", {}, 7, {}, cameras)
        policy = make_policy(spec, BCConfig())
        policy.fit(Statistics({key: table.channel_stats(table.frames) for key in tables}, {}, actions))
        optim = OptimConfig()
        trainer = Trainer(policy.train(), optim, Path(folder), {})
        windows = Windows(Made(table.offsets, actions), tables, policy.config, range(4))
        frames = np.concatenate([source.read_frames(episode, "agentview") for episode in source.episodes])

        def step(batch: Batch) -> None:
            trainer.update(policy.loss(batch)[0])

        def encoding_step(batch: Batch) -> None:
            seen = frames[batch.windows.numpy()]  # a window is a frame here
            maps = {c: Features(encoders.encode("agentview", seen).map[:, None]) for c in tables}
            step(replace(batch, obs=Observation(maps, {})))

        ready = batches(windows, optim.batch_size, 0, range(STEPS + 3), torch.device("cpu"))
        for _ in range(3):
            step(next(ready))
        start = time.perf_counter()
        for batch in ready:
            step(batch)
        stored = (time.perf_counter() - start) / STEPS
        (batch,) = batches(windows, optim.batch_size, 0, range(1), torch.device("cpu"))
        return stored, seconds(lambda: encoding_step(batch))


CONTENDERS: dict[str, Callable[[str, int], float | tuple[float, float]]] = {
    "s2wrapper": lambda name, count: time_reference(name, False, count),
    "s2wrapper, tuned": lambda name, count: time_reference(name, True, count),
    "torch": lambda name, count: time_ours(name, "torch", count),
    "openvino": lambda name, count: time_ours(name, "openvino", count),
    BFLOAT16: lambda name, count: time_ours(name, "openvino", count, "bfloat16"),
    "compile": lambda name, count: time_ours(name, "compile", count),
    "limit": time_limit,
    "build": time_build,
    "training step": time_step,
}
RATES = ("s2wrapper", "s2wrapper, tuned", "torch", "openvino", BFLOAT16, "compile", "limit")


def measured(contender: str, encoder: str, frames: int) -> list[float]:
    command = [sys.executable, "-W", "ignore", __file__, "--encoders", encoder, "--frames", str(frames)]
    output = subprocess.run([*command, "--one", contender], capture_output=True, text=True, check=True).stdout
    return [float(word) for word in output.splitlines()[-1].split()]


def report(encoder: str, contenders: Sequence[str], frames: int, turns: int) -> None:
    runs = [{c: measured(c, encoder, frames) for c in contenders} for _ in range(turns)]
    best = {c: min((run[c] for run in runs), key=lambda numbers: numbers[0]) for c in contenders}
    tiles = sum((size // SIZES[0]) ** 2 for size in SIZES)
    weights = "" if weights_here(encoder) else ", random weights"
    print(f"{encoder} at {' + '.join(map(str, SIZES))}{weights}, {frames} frames, best of {turns} turns")
    print(
        f"{'':18}{'ms/frame':>10}{'ms/tile':>9}{'frames/s':>10}{'s2wrapper':>11}{'tuned':>8}{'difference':>12}"
    )
    today, tuned = best["s2wrapper"][0], best["s2wrapper, tuned"][0]
    for contender in (c for c in RATES if c in contenders):
        spent, *difference = best[contender]
        print(
            f"{contender:18}{spent * 1e3:10.2f}{spent * 1e3 / tiles:9.2f}{1 / spent:10.1f}"
            f"{today / spent:10.1f}x{tuned / spent:7.1f}x" + "".join(f"{d:12.1e}" for d in difference)
        )
    if BFLOAT16 in best:
        print(f"bfloat16 is {best['openvino'][0] / best[BFLOAT16][0]:.2f}x as fast as float32")
    else:
        print("bfloat16 skipped: this CPU has neither AMX nor AVX512-BF16")
    if "build" in contenders:
        built, alone = best["build"]
        print(f"build at {alone / built:.0%} of the encoder's own rate in the same process")
        stored, encoding = best["training step"]
        print(
            f"training step from the store {stored * 1e3:.1f} ms, one that encodes its frames "
            f"{encoding * 1e3:.0f} ms: {encoding / stored:.0f}x"
        )
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--encoders", nargs="+", default=["lite0", "deit3_s"])
    parser.add_argument("--frames", type=int, default=64, help="of lite0; a transformer gets an eighth")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--compile", action="store_true", help="time torch.compile too: minutes more")
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        result = CONTENDERS[args.one](args.encoders[0], args.frames)
        print(*(result if isinstance(result, tuple) else (result,)))
        return
    for encoder in args.encoders:
        here = weights_here(encoder)
        contenders = [c for c in CONTENDERS if c != "compile" or args.compile]
        contenders = [c for c in contenders if c != BFLOAT16 or computes_bfloat16()]
        contenders = [c for c in contenders if here or c not in ("build", "training step")]
        report(encoder, contenders, args.frames if here else max(8, args.frames // 8), args.turns)


if __name__ == "__main__":
    main()
