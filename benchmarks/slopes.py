"""How cost grows on this machine: with frames, scales, cameras, demonstrations, policies and episodes.

    python benchmarks/slopes.py [--demonstrations 60] [--steps 40] [--only build training evaluation]

PickCube's demonstrations are collected first. Builds go into new stores that are removed, trainings read
features of 14x14 cells at 224 + 448 of two cameras in batches of 64, evaluations are of an untrained `bc`,
so every episode has all its steps. The table of docs/scale.md is from here. Needs a quiet machine.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from throughput import Contender
from torch import device

from s2robot.collecting.collect import Collection, collect
from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.cameras import CameraEncoders
from s2robot.features import FeatureTable, build, place
from s2robot.features.options import FeaturesConfig
from s2robot.policies import POLICIES, Policy, make_policy
from s2robot.rollouts.agent import Agent
from s2robot.rollouts.episodes import run_episodes
from s2robot.training.statistics import statistics_of
from s2robot.types import Spec

ENV_ID = "s2robot/PickCube-v0"
SIZES = (224, 448)
TASK = {"image_size": SIZES[-1]}
BATCH_SIZE = 64
CPU = device("cpu")


def timed_build(demos: Dataset, cameras: Sequence[str], sizes: Sequence[int], episodes: int) -> str:
    """What the features of the first episodes cost: frames, seconds, milliseconds and bytes of a frame."""
    encoders = CameraEncoders("lite0", tuple(sizes))
    with tempfile.TemporaryDirectory() as root:
        start = time.perf_counter()
        for camera in cameras:
            table = build(demos, camera, encoders, FeaturesConfig(root=root), False, range(episodes))
        seconds = time.perf_counter() - start
        row = table.nbytes // len(table.frames)
    frames = len(cameras) * sum(demos.lengths[:episodes])
    return f"{frames:6} frames {seconds:7.1f} s {1e3 * seconds / frames:7.2f} ms a frame {row:8,} bytes"


def builds(demos: Dataset) -> None:
    cameras, all_of = list(demos.cameras), len(demos.episodes)
    timed_build(demos, cameras[:1], SIZES, 1)  # backends are chosen once
    for share in (4, 2, 1):
        print(f"frames, 1/{share:<11} {timed_build(demos, cameras[:1], SIZES, all_of // share)}", flush=True)
    print(f"cameras, {len(cameras):<11}{timed_build(demos, cameras, SIZES, all_of // 4)}", flush=True)
    for sizes in ((224,), SIZES, (224, 448, 672)):
        name = "scales, " + "+".join(map(str, sizes))
        print(f"{name:20}{timed_build(demos, cameras[:1], sizes, all_of // 4)}", flush=True)


def trainings(demos: Dataset, spec: Spec, tables: dict[str, FeatureTable], steps: int) -> None:
    for name in POLICIES:
        for episodes in (len(demos.episodes) // 4, len(demos.episodes)):
            if name != "bc" and episodes < len(demos.episodes):
                continue  # what a step costs is asked of demonstrations once
            policy = made(name, demos, spec, tables)
            contender = Contender(policy, tables, demos, BATCH_SIZE, steps)
            ms = 1e3 * BATCH_SIZE / contender.turn()
            print(
                f"{name:24}{episodes:4} demonstrations {ms:8.1f} ms a step, "
                f"{contender.parameters:12,} trained numbers",
                flush=True,
            )


def evaluations(agent: Agent, spec: Spec) -> None:
    run_episodes(agent, spec.env_id, [0], spec.env_kwargs)
    for episodes in (4, 8, 16):
        start = time.perf_counter()
        done = run_episodes(agent, spec.env_id, range(episodes), spec.env_kwargs)
        seconds, played = time.perf_counter() - start, sum(result.steps for result in done)
        print(
            f"episodes, {episodes:<10} {seconds:7.1f} s, {seconds / episodes:.2f} s an episode "
            f"of {played / episodes:.0f} steps",
            flush=True,
        )


def made(name: str, demos: Dataset, spec: Spec, tables: dict[str, FeatureTable]) -> Policy:
    policy = make_policy(spec, POLICIES[name].options())
    policy.fit(statistics_of(demos, tables, range(len(demos.episodes))))
    return policy


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--demonstrations", type=int, default=60)
    parser.add_argument("--steps", type=int, default=40, help="timed, of each policy")
    stages = ("build", "training", "evaluation")
    parser.add_argument("--only", nargs="+", choices=stages, default=stages)
    given = parser.parse_args()
    keep_freed_memory()  # as the commands do
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "demos.hdf5")
        collect(Collection(ENV_ID, given.demonstrations, env_kwargs=TASK), path)
        demos = open_dataset(path)
        if "build" in given.only:
            builds(demos)
        if "training" in given.only or "evaluation" in given.only:
            encoders = CameraEncoders("lite0", SIZES)
            root = FeaturesConfig(root=str(Path(folder, "features")))
            built = {camera: build(demos, camera, encoders, root, False) for camera in demos.cameras}
            spec = Spec.read(demos, encoders, list(demos.cameras), ENV_ID, TASK)
            tables = place(built, CPU)
        if "training" in given.only:
            trainings(demos, spec, tables, given.steps)
        if "evaluation" in given.only:
            evaluations(Agent(made("bc", demos, spec, tables), encoders, CPU), spec)


if __name__ == "__main__":
    main()
