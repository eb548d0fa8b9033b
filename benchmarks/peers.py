"""Frozen S2 features beside end-to-end training: wall-clock to a success rate, on one machine in one run.

    python benchmarks/peers.py --minutes 20                             # PickCube, on this machine's CPU
    python benchmarks/peers.py --minutes 20 --task s2robot/ThreadNut-v0 --device cuda --out runs/peers_nut
    python benchmarks/peers.py --tiny                                  # whether it runs; figures mean nothing

All learn from the same demonstrations and are evaluated on the same starts:

    frozen S2         policy=bc on stored features of Lite0 at 224 + 448 (the wrist camera at 224)
    ResNet-18, 84     the same policy with a ResNet-18 for each camera, trained with it on frames of 84 pixels
    ResNet-18, 224    the same on frames of 224 pixels
    robomimic         robomimic's BC with its ResNet-18 on 84 pixels: its training loop, dataset, batch, crops

Each is trained for `--minutes` at most (or its steps are done) and evaluated at an eighth, a quarter, a half
and all of it. Seconds count building features and training; collecting and evaluating are not counted. A rate
that was not reached is a lower bound. Equal time is the last evaluation. Every setting is printed.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import common
import torch
from end_to_end import Pixels, seeing_pixels
from peers_robomimic import RobomimicBC

from s2robot.collecting.render import render
from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.windows import FeatureGather, Windows
from s2robot.device import choose_device, wait_for
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.cameras import CameraEncoders
from s2robot.evaluation.comparison import compare, points
from s2robot.evaluation.seeds import evaluation_seeds
from s2robot.features import build, place
from s2robot.files import write_text
from s2robot.policies import POLICIES, Policy, make_policy
from s2robot.rollouts.agent import Agent
from s2robot.rollouts.episodes import run_episodes
from s2robot.rollouts.results import EpisodeResult
from s2robot.training.batches import batches
from s2robot.training.options import OptimConfig
from s2robot.training.statistics import statistics_of
from s2robot.training.trainer import Trainer
from s2robot.types import Actor, Spec

SHARES = (1 / 8, 1 / 4, 1 / 2, 1)
TARGETS = (0.5, 0.9)
ROBOMIMIC_SIZE = 84
WRIST = {"robot0_eye_in_hand": (224,)}


class Contender(Protocol):
    """Something that learns by the step and can be asked to act."""

    steps: int
    settings: Mapping[str, Any]

    def train(self) -> None:
        """One step or a few."""


class Ours:
    """A policy of this project in training, on stored features or on pixels."""

    def __init__(
        self,
        policy: Policy,
        seen: Mapping[str, FeatureGather],
        demos: Dataset,
        encoders: CameraEncoders,
        device: torch.device,
        steps: int,
    ) -> None:
        self.device, self.encoders, self.steps = device, encoders, 0
        optim = OptimConfig(steps=steps, graph="never")
        self.trainer = Trainer(policy.to(device).train(), optim, Path(), {})
        episodes, _ = demos.splits("train", "valid")
        windows = Windows(demos, seen, policy.config, episodes)
        self.batches = batches(windows, optim.batch_size, 0, range(steps), device)
        parameters = sum(one.numel() for one in self.trainer.parameters.values())
        rate, size = optim.learning_rate, optim.batch_size
        self.settings: Mapping[str, Any] = {
            "batch": size,
            "learning_rate": rate,
            "steps": steps,
            "parameters": parameters,
        }

    def train(self) -> None:
        """Raises `StopIteration` when all steps are done."""
        self.trainer.update(self.trainer.loss(next(self.batches).to(self.device)))
        self.steps += 1

    def agent(self) -> Agent:
        return Agent(self.trainer.policy, self.encoders, self.device)


@dataclass
class Course:
    """What came of one contender."""

    settings: Mapping[str, Any]
    looks: list[dict[str, float]] = field(default_factory=list)  # seconds, steps, success
    episodes: list[EpisodeResult] = field(default_factory=list)  # of the last look

    def seconds_to(self, rate: float) -> str:
        """Wall-clock to a success rate, or the lower bound."""
        reached = [look["seconds"] for look in self.looks if look["success"] >= rate]
        return f"{reached[0]:.0f}" if reached else f"> {self.looks[-1]['seconds']:.0f}"


def frozen(data: Mapping[int, Path], arguments: argparse.Namespace, device: torch.device) -> Ours:
    demos = open_dataset(data[arguments.size])
    wrist = WRIST if "robot0_eye_in_hand" in demos.cameras and not arguments.tiny else {}
    encoders = CameraEncoders("lite0", arguments.sizes, wrist, device=device, backend=arguments.backend)
    tables = place(
        {camera: build(demos, camera, encoders, progress=False) for camera in demos.cameras}, device
    )
    spec = Spec.read(demos, encoders, list(demos.cameras))
    policy = make_policy(spec, POLICIES["bc"].options())
    policy.fit(statistics_of(demos, tables, demos.splits("train", "valid")[0]))
    return Ours(policy, tables, demos, encoders, device, arguments.steps)


def end_to_end(size: int) -> Callable[[Mapping[int, Path], argparse.Namespace, torch.device], Ours]:
    def make(data: Mapping[int, Path], arguments: argparse.Namespace, device: torch.device) -> Ours:
        demos = open_dataset(data[size])
        policy = make_policy(Spec.read(demos, Pixels(), list(demos.cameras)), POLICIES["bc"].options())
        policy.fit(statistics_of(demos, {}, demos.splits("train", "valid")[0]))
        policy, frames = seeing_pixels(policy, demos, None)
        return Ours(policy, frames, demos, Pixels(), device, arguments.steps)

    return make


def robomimic(data: Mapping[int, Path], arguments: argparse.Namespace, device: torch.device) -> RobomimicBC:
    demos = open_dataset(data[ROBOMIMIC_SIZE])
    cameras = [demos.observation_key(camera) for camera in demos.cameras]
    return RobomimicBC(data[ROBOMIMIC_SIZE], device, cameras, list(demos.proprioception()))


# name -> pixels of its frames (0: those that were collected), how it is made
CONTENDERS: dict[str, tuple[int, Callable[..., Contender]]] = {
    "frozen S2": (0, frozen),
    "ResNet-18, 84": (ROBOMIMIC_SIZE, end_to_end(ROBOMIMIC_SIZE)),
    "ResNet-18, 224": (224, end_to_end(224)),
    "robomimic": (ROBOMIMIC_SIZE, robomimic),
}


def course(
    name: str, data: Mapping[int, Path], arguments: argparse.Namespace, device: torch.device
) -> Course:
    """Train a contender, looking at it as often as `SHARES` says."""
    size, make = CONTENDERS[name]
    start = time.perf_counter()
    contender = make(data, arguments, device)
    prepared = time.perf_counter() - start
    found = Course({**contender.settings, "prepared_s": round(prepared, 1)})
    trained, done = prepared, False
    for share in SHARES[-1:] if arguments.tiny else SHARES:
        while not done and (contender.steps == 0 or trained < share * 60 * arguments.minutes):
            start = time.perf_counter()
            try:
                contender.train()
            except StopIteration:
                done = True
            wait_for(device)
            trained += time.perf_counter() - start
        found.episodes = evaluate(contender, size or arguments.size, arguments)
        success = sum(one.success for one in found.episodes) / len(found.episodes)
        found.looks.append({"seconds": round(trained, 1), "steps": contender.steps, "success": success})
        common.say(f"{name}: {found.looks[-1]}")
        if done:
            break
    return found


def evaluate(contender: Contender, size: int, arguments: argparse.Namespace) -> list[EpisodeResult]:
    """The same starts for all, with frames of the size that it learned from."""
    seeds = evaluation_seeds(arguments.episodes)
    env_kwargs = {"image_size": size}
    if not isinstance(contender, Ours):
        return run_episodes(cast(Actor, contender), arguments.task, seeds, env_kwargs)
    with contender.trainer.averaged_weights():
        found = run_episodes(contender.agent(), arguments.task, seeds, env_kwargs)
    contender.trainer.policy.train()
    return found


def lines(courses: Mapping[str, Course]) -> list[str]:
    """The table, each peer beside the first contender on the same starts."""
    head = "".join(f"{f's to {target:.0%}':>12}" for target in TARGETS)
    rows = [f"{'':16}{'s/step':>9}{head}  success at the end, and beside frozen S2 (McNemar)"]
    ours = next(iter(courses.values()))
    for name, one in courses.items():
        last = one.looks[-1]
        step = (last["seconds"] - one.settings["prepared_s"]) / max(last["steps"], 1)
        times = "".join(f"{one.seconds_to(target):>12}" for target in TARGETS)
        row = f"{name:16}{step:9.3f}{times}  {common.rate(one.episodes)}"
        if one is not ours:
            pair = compare(one.episodes, ours.episodes)
            row += f"; frozen S2 {points(pair.difference, pair.difference_ci95)}, p = {pair.p_value:.2g}"
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu, cuda")
    parser.add_argument("--minutes", type=float, default=20, help="for each, features and training")
    parser.add_argument("--task", default="s2robot/PickCube-v0")
    parser.add_argument("--demonstrations", type=int, default=120)
    parser.add_argument("--size", type=int, default=448, help="pixels of the frames that are collected")
    parser.add_argument("--episodes", type=int, default=100, help="of each evaluation")
    parser.add_argument("--steps", type=int, default=3000, help="of this project's policies, at most")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--out", type=Path, default=Path("runs/peers"), help="demonstrations and result.json")
    parser.add_argument("--tiny", action="store_true", help="a few steps on a few frames")
    arguments = parser.parse_args()
    arguments.sizes, arguments.backend = (224, 448), "auto"
    if arguments.tiny:
        arguments.minutes, arguments.demonstrations, arguments.size = 0.005, 2, 96
        arguments.episodes, arguments.steps, arguments.sizes = 1, 2, (32,)
        arguments.backend, arguments.contenders = "torch", ["frozen S2", "ResNet-18, 84", "robomimic"]

    keep_freed_memory()
    torch.manual_seed(0)
    device = choose_device(arguments.device)
    arguments.out = arguments.out.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    data = {arguments.size: arguments.out / "demos.hdf5"}
    size = ("--image-size", str(arguments.size))
    common.demonstrations(data[arguments.size], arguments.task, *size, episodes=arguments.demonstrations)
    for smaller in {CONTENDERS[name][0] for name in arguments.contenders} - {0, arguments.size}:
        data[smaller] = arguments.out / f"demos_{smaller}.hdf5"
        if not data[smaller].exists():
            render(data[arguments.size], data[smaller], (smaller, smaller), None)

    courses = {name: course(name, data, arguments, device) for name in arguments.contenders}
    told = {name: str(value) if isinstance(value, Path) else value for name, value in vars(arguments).items()}
    machine = {"device": str(device), "cpu": platform.processor(), "threads": torch.get_num_threads()}
    result = {
        "settings": told,
        "machine": machine | {"torch": torch.__version__},
        "contenders": {name: {"settings": one.settings, "looks": one.looks} for name, one in courses.items()},
    }
    write_text(arguments.out / "result.json", json.dumps(result, indent=2) + "\n")
    print("", *lines(courses), "", json.dumps(result), sep="\n")


if __name__ == "__main__":
    main()
