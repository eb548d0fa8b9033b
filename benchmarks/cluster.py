"""What Ray costs on one machine: a feature build and an evaluation, plain and over a local cluster, in turns.

    python benchmarks/cluster.py DATA RUN [--turns 3] [--episodes 100] [--sizes 224,448] [--cameras agentview]
        [--only build evaluation]

DATA is a dataset (features are built into a folder that is removed), RUN a run that `s2robot train` has
finished. The cluster is started before the clock and its time is told apart; the start of the actor, which
imports PyTorch and loads encoder and policy, is in the figures of Ray. Take work of five minutes.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from s2robot.cluster.connection import connected
from s2robot.cluster.episodes import PlayedOverNodes, Recipe, make_agent
from s2robot.cluster.features import Recipe as BuildRecipe
from s2robot.cluster.features import build_over_nodes
from s2robot.commands.cli.options import EvalConfig
from s2robot.datasets import open_dataset
from s2robot.datasets.options import DataConfig
from s2robot.device import choose_device
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.options import EncoderConfig
from s2robot.evaluation.playing import PlayedHere
from s2robot.evaluation.seeds import evaluation_seeds
from s2robot.features import CameraStore, build
from s2robot.features.options import FeaturesConfig
from s2robot.runs import checkpoint
from s2robot.runs.finding import find_checkpoint

STAGES = ("build", "evaluation")


def builds(ray: Any, data: str, cameras: list[str], sizes: list[int]) -> dict[str, Callable[[], None]]:
    """A plain build and one by Ray, each into a new store."""
    device = choose_device("auto")
    options, encoder = DataConfig(path=data, cameras=cameras or None), EncoderConfig.of(sizes=sizes)
    source, encoders = open_dataset(options), CameraEncoders.from_config(encoder, device)

    def plain() -> None:
        with tempfile.TemporaryDirectory() as root:
            for camera in source.cameras:
                build(source, camera, encoders, FeaturesConfig(root=root), progress=False)

    def by_ray() -> None:
        with tempfile.TemporaryDirectory() as root:
            config = FeaturesConfig(root=root)
            stores = [CameraStore(source, camera, encoders, config) for camera in source.cameras]
            build_over_nodes(ray, stores, BuildRecipe(options, encoder, config, device.type, ()), shown=False)

    return {"build, plain": plain, "build, ray": by_ray}


def evaluations(ray: Any, run: str, episodes: int) -> dict[str, Callable[[], None]]:
    """The same seeds, plain and by Ray."""
    device, path = choose_device("auto"), find_checkpoint(run).absolute()
    loaded, options = checkpoint.load(path), EvalConfig(checkpoint=str(path))
    spec = loaded.policy.spec
    seeds, batch = evaluation_seeds(episodes), 1 if device.type == "cpu" else 8
    agent = make_agent(loaded, options, device, batch)
    recipe = Recipe(path, loaded.sha256, options, spec.env_id, spec.env_kwargs, batch, {}, ())

    def plain() -> None:
        with tempfile.TemporaryDirectory() as folder:
            here = PlayedHere(agent, spec.env_id, spec.env_kwargs, Path(folder), batch=batch)
            assert len(list(here.play(seeds, 0))) == episodes

    def by_ray() -> None:
        with tempfile.TemporaryDirectory() as folder:
            over = PlayedOverNodes(lambda: ray, recipe, device.type, Path(folder))
            assert len(list(over.play(seeds, 0))) == episodes

    return {"evaluation, plain": plain, "evaluation, ray": by_ray}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("run")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--sizes", default="224,448")
    parser.add_argument("--cameras", nargs="*", default=[])
    parser.add_argument("--only", nargs="+", choices=STAGES, default=STAGES)
    given = parser.parse_args()
    keep_freed_memory()
    start = time.perf_counter()
    with connected() as ray:
        print(f"start of the cluster: {time.perf_counter() - start:.1f} s")
        sizes = [int(size) for size in given.sizes.split(",")]
        works: dict[str, Callable[[], None]] = {}
        if "build" in given.only:
            works |= builds(ray, given.data, given.cameras, sizes)
        if "evaluation" in given.only:
            works |= evaluations(ray, given.run, given.episodes)
        seconds: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(given.turns):
            for name, work in works.items():
                start = time.perf_counter()
                work()
                seconds[name].append(time.perf_counter() - start)
                print(f"{name}: {seconds[name][-1]:.1f} s", flush=True)
    for what in given.only:
        plain, by_ray = (statistics.median(seconds[f"{what}, {how}"]) for how in ("plain", "ray"))
        print(f"{what}: plain {plain:.1f} s, Ray {by_ray:.1f} s, {by_ray / plain - 1:+.1%}")


if __name__ == "__main__":
    main()
