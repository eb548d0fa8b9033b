"""Samples a second in training: cached features beside a ResNet-18 trained end to end on the same frames.

    python benchmarks/throughput.py [--policy diffusion_unet] [--batch-size 16] [--turns 2]

Both are the same policy with the same optimiser, batches and action chunks; only its visual encoder
differs. `store`: the frozen encoder's feature grid out of the store, with the policy's default head. `end
to end`: robomimic's `VisualCore` for each camera (ResNet-18, spatial softmax, a linear layer to as many
numbers as the head gives), trained with the policy on frames that are decoded and in RAM, the best that can
be done for it. It is timed on the frames as they were recorded and on the same frames shrunk to 84 pixels,
robomimic's usual size. They take turns, and the best turn of each counts. Needs a quiet machine: threads
that wait for a busy core cost the small operations of `store` most (20 times as long was seen)."""

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from end_to_end import seeing_pixels

from s2robot.collecting.collect import Collection, collect
from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.windows import FeatureGather, Windows
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.cameras import CameraEncoders
from s2robot.features import build, place
from s2robot.policies import POLICIES, Policy, make_policy
from s2robot.training.batches import batches
from s2robot.training.options import OptimConfig
from s2robot.training.statistics import statistics_of
from s2robot.training.trainer import Trainer
from s2robot.types import Spec

SIZES, CAMERA_SIZES = (224, 448), {"robot0_eye_in_hand": (224,)}  # as `make demo` does
ROBOMIMIC_SIZE = 84
CPU = torch.device("cpu")


class Contender:
    """A policy in training on some observations; `turn` says how many samples it learns from in a second."""

    def __init__(
        self, policy: Policy, seen: Mapping[str, FeatureGather], demos: Dataset, batch_size: int, steps: int
    ) -> None:
        self.windows = Windows(demos, seen, policy.config, range(len(demos.episodes)))
        self.trainer = Trainer(policy.train(), OptimConfig(batch_size=batch_size), Path(), {})
        self.batch_size, self.steps = batch_size, steps
        self.parameters = sum(p.numel() for p in self.trainer.parameters.values())

    def turn(self) -> float:
        warm_up = max(1, self.steps // 10)
        todo = range(warm_up + self.steps)
        for step, batch in zip(todo, batches(self.windows, self.batch_size, 0, todo, CPU), strict=True):
            if step == warm_up:
                start = time.perf_counter()
            self.trainer.update(self.trainer.loss(batch))
        return self.batch_size * self.steps / (time.perf_counter() - start)


def stored_policy(name: str, demos: Dataset) -> tuple[Policy, dict[str, FeatureGather]]:
    """A policy that reads cached features, and the features."""
    encoders = CameraEncoders("lite0", SIZES, CAMERA_SIZES)
    tables = place({c: build(demos, c, encoders) for c in demos.cameras}, CPU)
    spec = Spec.read(demos, encoders, list(demos.cameras))
    policy = make_policy(spec, POLICIES[name].options())
    policy.fit(statistics_of(demos, tables, range(len(demos.episodes))))
    return policy, dict(tables)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--policy", default="diffusion_unet", choices=sorted(POLICIES))
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--demonstrations", type=int, default=6, help="of PickCube, to be collected")
    parser.add_argument("--size", type=int, default=448, help="of the recorded frames, in pixels")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--steps", type=int, nargs=3, default=[200, 1, 3], help="timed, of each")
    arguments = parser.parse_args()

    keep_freed_memory()  # as `s2robot train` does
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "demos.hdf5")
        task = {"image_size": arguments.size}
        collect(Collection("s2robot/PickCube-v0", arguments.demonstrations, env_kwargs=task), path)
        demos = open_dataset(path)
        policy, tables = stored_policy(arguments.policy, demos)
        made = {
            "store": (policy, tables),
            f"end to end, {arguments.size} pixels": seeing_pixels(policy, demos, None),
            f"end to end, {ROBOMIMIC_SIZE} pixels": seeing_pixels(policy, demos, ROBOMIMIC_SIZE),
        }
        contenders = {
            name: Contender(policy, seen, demos, arguments.batch_size, steps)
            for (name, (policy, seen)), steps in zip(made.items(), arguments.steps, strict=True)
        }
        turns = []
        for number in range(arguments.turns):
            turns.append({name: each.turn() for name, each in contenders.items()})
            rates = ", ".join(f"{name} {samples:.1f}" for name, samples in turns[-1].items())
            print(f"turn {number + 1}, samples/s: {rates}", flush=True)

    best = {name: max(turn[name] for turn in turns) for name in contenders}
    print(
        f"\n{arguments.policy}, batches of {arguments.batch_size}, {len(demos.cameras)} cameras at "
        f"{arguments.size} pixels, {torch.get_num_threads()} threads, best of {arguments.turns} turns"
    )
    print(f"{'':26}{'samples/s':>10}{'ms/step':>10}{'trained':>12}{'store is':>10}")
    for name, samples in best.items():
        ms = 1e3 * arguments.batch_size / samples
        times = "" if name == "store" else f"{best['store'] / samples:9.1f}x"
        print(f"{name:26}{samples:10.1f}{ms:10.1f}{contenders[name].parameters:12,}{times}")


if __name__ == "__main__":
    main()
