"""What rollouts reach: simulation alone, a policy beside the plain loop, and a thousand episodes' leavings.

python benchmarks/rollout.py runs/demo                # everything, with the policy of a finished training
python benchmarks/rollout.py --only simulation memory # what needs no policy

simulation   PickCube's physics and both cameras at 448 pixels, in one process and in two at once
policy       episodes a minute through `run_episodes` and through the plain loop: one environment, every
             frame rendered and encoded in a batch of one, as robomimic's rollout does. Same policy, same
             seeds, and the table says whether the episodes came out the same
memory       1,000 episodes of an untrained policy (PickCube, one camera of 64 pixels, Lite0 at 64): the
             memory, files and threads of policy process and workers after the first 100 and at the end
"""

import argparse
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from inputs import stacked

import envs
from s2robot.device import torch_threads
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.cameras import CameraEncoders
from s2robot.evaluation.seeds import evaluation_seeds
from s2robot.evaluation.success_rate import wilson_interval
from s2robot.policies import make_policy
from s2robot.policies.options.bc import BCConfig
from s2robot.rollouts.agent import Agent
from s2robot.rollouts.episodes import iter_episodes, run_episodes
from s2robot.rollouts.resolving import make_env
from s2robot.rollouts.results import EpisodeResult
from s2robot.rollouts.sizes import default_workers
from s2robot.rollouts.worker import THREADS
from s2robot.runs import checkpoint
from s2robot.types import CameraSpec, Observation, Spec

ENV_ID = "s2robot/PickCube-v0"
TURNS = 3
SETTLED = 100  # episodes after which memory must not grow
CPU = torch.device("cpu")
HERE: dict[str, Barrier] = {}  # what a simulating process was told


def start_together(barrier: Barrier) -> None:
    """Tells a simulating process where to wait for the other one."""
    HERE["both"] = barrier


def simulate(seconds: float, processes: int, seed: int) -> float:
    """Steps a second of the expert with all cameras observed at every step, beside `processes` - 1 others."""
    env, expert = make_env(ENV_ID, {"image_size": 448}), envs.make_expert(ENV_ID)
    env.reset(seed=seed)
    env.step(expert(env))  # makes the renderer
    if processes == 2:
        HERE["both"].wait()  # so that they start together, one in each process
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        *_, terminated, truncated, _ = env.step(expert(env))
        steps += 1
        if terminated or truncated:
            env.reset()
    rate = steps / (time.perf_counter() - start)
    env.close()
    return rate


def simulation(seconds: float) -> None:
    os.environ |= THREADS  # as workers have it; the children inherit it
    rates = {1: 0.0, 2: 0.0}
    context = get_context("spawn")
    with ProcessPoolExecutor(2, context, start_together, (context.Barrier(2),)) as pool:
        list(pool.map(partial(simulate, 0.0, 2), range(2)))  # both are there and have imported everything
        for count in (1, 2) * TURNS:  # the best: other work on the machine only ever makes a turn slower
            rates[count] = max(rates[count], sum(pool.map(partial(simulate, seconds, count), range(count))))
    print(f"{ENV_ID}, physics and two cameras of 448 pixels, steps a second")
    print(f"  one process   {rates[1]:6.1f}   (wanted: 40)")
    print(f"  two           {rates[2]:6.1f} = {rates[2] / rates[1]:.2f}x (wanted: 1.7x)", flush=True)


def plain_episode(agent: Agent, env: Any, seed: int) -> EpisodeResult:
    """One episode as a simple loop has it: every frame is rendered and encoded, in a batch of one."""
    policy, obs_steps = agent.policy, agent.obs_steps
    history: deque[Observation] = deque(maxlen=obs_steps)
    actions: deque[np.ndarray] = deque()

    def see(obs: dict[str, np.ndarray]) -> Observation:
        cameras = policy.spec.cameras.items()
        return Observation(
            {name: agent.encoders.encode(name, obs[camera.key][None]) for name, camera in cameras},
            {key: torch.as_tensor(obs[key], dtype=torch.float32)[None] for key in policy.spec.proprio},
        )

    start, state, generator = time.monotonic(), None, torch.Generator().manual_seed(seed)
    obs, _ = env.reset(seed=seed)
    history.extend([see(obs)] * obs_steps)
    steps, return_, success, done = 0, 0.0, False, False
    while not done:
        if not actions:
            with torch_threads(1):  # as `Agent` does: the numbers depend on it
                chunk, after = policy.predict(stacked(history), [state], [generator])
            state = after[0] if after is not None else None
            actions.extend(chunk[0, : agent.action_steps].numpy())
        obs, reward, terminated, truncated, info = env.step(np.clip(actions.popleft(), -1.0, 1.0))
        steps, return_, success = steps + 1, return_ + float(reward), success or bool(info["success"])
        done = terminated or truncated
        if not done:
            history.append(see(obs))
    return EpisodeResult(seed, success, steps, return_, time.monotonic() - start)


def policy(run_dir: Path, episodes: int, plain_episodes: int, workers: int) -> None:
    loaded = checkpoint.load(run_dir / "checkpoints" / "last")
    spec = loaded.policy.spec
    agent = Agent(loaded.policy, CameraEncoders.from_dict(loaded.encoders, CPU), CPU)
    seeds = evaluation_seeds(episodes, loaded.training_seeds)
    env = make_env(spec.env_id, spec.env_kwargs)
    with torch.inference_mode():
        plain_episode(agent, env, 0)  # measured and warmed up
        plain, plain_s = timed(lambda: [plain_episode(agent, env, seed) for seed in seeds[:plain_episodes]])
    env.close()
    ours, ours_s = timed(lambda: run_episodes(agent, spec.env_id, seeds, spec.env_kwargs, workers=workers))

    print(
        f"{spec.env_id}, {loaded.policy.config.name}, {loaded.encoders['name']}, cameras {len(spec.cameras)}"
    )
    ours_rate, plain_rate = 60 * len(ours) / ours_s, 60 * len(plain) / plain_s
    print(f"  plain loop    {plain_rate:6.1f} episodes a minute, {solved(plain)}")
    print(
        f"  run_episodes  {ours_rate:6.1f} episodes a minute, {solved(ours)}: "
        f"{ours_rate / plain_rate:.2f}x (wanted: 3x), {workers} workers"
    )
    same = [outcome(a) == outcome(b) for a, b in zip(plain, ours, strict=False)]
    print(f"  the same outcome and number of steps in {sum(same)} of {len(same)} episodes", flush=True)


def timed(function: Callable[[], list[EpisodeResult]]) -> tuple[list[EpisodeResult], float]:
    start = time.perf_counter()
    return function(), time.perf_counter() - start


def outcome(result: EpisodeResult) -> tuple[int, bool, int]:
    return result.seed, result.success, result.steps


def solved(results: list[EpisodeResult]) -> str:
    successes = sum(result.success for result in results)
    low, high = wilson_interval(successes, len(results))
    return f"{successes} of {len(results)} solved [{low:.1%}, {high:.1%}]"


@dataclass(frozen=True)
class Held:
    """What this process and its children hold."""

    processes: int
    memory_mb: float  # resident, summed
    files: int
    threads: int

    @staticmethod
    def now() -> "Held":
        family = [psutil.Process(), *psutil.Process().children(recursive=True)]
        return Held(
            len(family),
            sum(process.memory_info().rss for process in family) / 1e6,
            sum(process.num_fds() for process in family),
            sum(process.num_threads() for process in family),
        )

    def __str__(self) -> str:
        return (
            f"{self.memory_mb:7.1f} MB, {self.files:3} files, {self.threads:3} threads "
            f"in {self.processes} processes"
        )


def memory(episodes: int, workers: int) -> None:
    kwargs = {"image_size": 64, "cameras": ["agentview"]}
    encoders = CameraEncoders("lite0", [64], device=CPU, backend="torch")
    camera = CameraSpec("agentview_image", (64, 64), encoders.feature_shape("agentview", (64, 64)))
    spec = Spec(ENV_ID, kwargs, 7, {"robot0_eef_pos": 3}, {"agentview": camera})
    agent = Agent(make_policy(spec, BCConfig(horizon=16, action_steps=16)), encoders, CPU)

    print(f"{episodes} episodes, untrained bc, one camera of 64 pixels, {workers} workers", flush=True)
    before = Held.now()
    settled = end = before
    start = time.perf_counter()
    rollout = iter_episodes(agent, ENV_ID, range(episodes), kwargs, workers=workers)
    for count, _ in enumerate(rollout, 1):
        if count == min(SETTLED, episodes - 1):
            settled = Held.now()
            print(f"  after {count:5}   {settled}", flush=True)
        elif count == episodes - workers:  # all workers are still there
            end = Held.now()
            grown = f"grown by {end.memory_mb - settled.memory_mb:.1f} MB (wanted: < 50)"
            print(f"  after {count:5}   {end}; {grown}")
    after = Held.now()
    print(f"  at the end    {after}; before: {before}")
    left = after.processes - before.processes, after.files - before.files
    print(
        f"  left behind   {left[0]} processes, {left[1]} files; {time.perf_counter() - start:.0f} s",
        flush=True,
    )


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("run_dir", type=Path, nargs="?", help="of a training, for the line `policy`")
    parser.add_argument("--only", nargs="+", choices=("simulation", "policy", "memory"))
    parser.add_argument("--seconds", type=float, default=6.0, help="of each of the turns of simulation")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--plain-episodes", type=int, help="of the plain loop (default: as many)")
    parser.add_argument("--memory-episodes", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=default_workers())
    arguments = parser.parse_args()

    parts: Iterable[str] = arguments.only or ("simulation", "policy", "memory")
    keep_freed_memory()
    if "simulation" in parts:
        simulation(arguments.seconds)
    if "memory" in parts:
        memory(arguments.memory_episodes, arguments.workers)
    if "policy" in parts:
        if arguments.run_dir is None:
            parser.error("the line `policy` needs the run folder of a training, or choose others with --only")
        plain_episodes = arguments.plain_episodes or arguments.episodes
        policy(arguments.run_dir, arguments.episodes, plain_episodes, arguments.workers)


if __name__ == "__main__":
    main()
