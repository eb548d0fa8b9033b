"""How often the scripted experts succeed, and how plausible what they do is.

    python benchmarks/expert.py --episodes 200                       # every task, undisturbed
    python benchmarks/expert.py --env s2robot/PickCube-v0 --episodes 500
    python benchmarks/expert.py --episodes 200 --disturbed           # as `s2robot collect` disturbs each task

`overlap` is the deepest that two bodies ever were in one another, `slip` the furthest that what is held moved
in the hand between a grasp and its end, both over all episodes.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium
import numpy as np

import envs
from s2robot.collecting.collection import Collection, resolve
from s2robot.collecting.disturbance import Disturbance
from s2robot.evaluation.success_rate import wilson_interval


@dataclass(frozen=True)
class Episode:
    seed: int
    success: bool
    steps: int
    overlap_m: float
    slip_m: float


def run_episode(collection: Collection, seed: int) -> Episode:
    env = gymnasium.make(collection.env_id, disable_env_checker=True)
    task: Any = env.unwrapped
    task.images_in_step = False
    expert = envs.make_expert(collection.env_id, seed=seed)
    disturb = Disturbance.of(collection)
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    overlap, slip, grasp = 0.0, 0.0, None
    done, info, steps = False, {"success": False}, 0
    while not done:
        _, _, terminated, truncated, info = env.step(disturb(expert(env), rng))
        steps, done = steps + 1, terminated or truncated
        overlap = max(overlap, -min(task.data.contact.dist, default=0.0))
        if task.is_gripped():
            position, rotation = task.panda.pose(task.data)
            in_hand = rotation.T @ (task.object_state()[:3] - position)
            grasp = in_hand if grasp is None else grasp
            slip = max(slip, float(np.linalg.norm(in_hand - grasp)))
        else:
            grasp = None
    env.close()
    return Episode(seed, bool(info["success"]), steps, overlap, slip)


def row(collection: Collection, episodes: list[Episode], seconds: float) -> str:
    solved = [episode for episode in episodes if episode.success]
    low, high = wilson_interval(len(solved), len(episodes))
    steps = [episode.steps for episode in solved] or [0]
    overlap_mm = 1e3 * max(episode.overlap_m for episode in episodes)
    slip_mm = 1e3 * max(episode.slip_m for episode in episodes)
    failed = [episode.seed for episode in episodes if not episode.success]
    return (
        f"{collection.env_id:27} {collection.noise:5} {collection.push_probability:5} {collection.drift:5} "
        f"{len(solved):4} of {len(episodes)} = {len(solved) / len(episodes):6.1%} [{low:.1%}, {high:.1%}]  "
        f"{np.mean(steps):5.1f} {min(steps):4} {max(steps):4}  {overlap_mm:7.2f} {slip_mm:7.2f} "
        f"{sum(episode.steps for episode in episodes) / seconds:8.0f}"
        + (f"  failed: {failed[:8]}{' ...' if len(failed) > 8 else ''}" if failed else "")
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", nargs="+", default=sorted(envs.TASKS), help="ids (default: all)")
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first episode")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--disturbed", action="store_true", help="as `s2robot collect` does by default")
    parser.add_argument("--noise", type=float, help="of the executed action instead (see s2robot collect)")
    parser.add_argument("--push-probability", type=float, help="a step instead")
    parser.add_argument("--drift", type=float, help="the largest instead")
    arguments = parser.parse_args()

    undisturbed = None if arguments.disturbed else 0.0
    noise = undisturbed if arguments.noise is None else arguments.noise
    pushes = undisturbed if arguments.push_probability is None else arguments.push_probability
    drift = undisturbed if arguments.drift is None else arguments.drift
    collections = [
        resolve(Collection(i, 1, noise=noise, push_probability=pushes, drift=drift)) for i in arguments.env
    ]
    seeds = range(arguments.seed, arguments.seed + arguments.episodes)
    print(
        "environment                 noise  push drift solved [95% interval]                   "
        "steps min  max",
        end="",
    )
    print("  overlap slip mm  steps/s")
    with ProcessPoolExecutor(arguments.workers) as pool:
        for collection in collections:
            start = time.perf_counter()
            episodes = list(pool.map(partial(run_episode, collection), seeds, chunksize=5))
            print(row(collection, episodes, time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
