"""How often a scripted expert succeeds: `python benchmarks/expert.py --env s2robot/PickCube-v0`.

With `--noise 0.1` the executed action is the expert's plus Gaussian noise of this standard deviation, and now
and then the arm is pushed off course for several steps.
"""

import argparse
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import gymnasium
import numpy as np

import envs


@dataclass(frozen=True)
class Episode:
    seed: int
    success: bool
    steps: int
    deepest_m: float  # largest overlap of two geoms
    stray_m: float  # how far the cube slid in the hand from the last grasp to the end


def run_episode(env_id: str, noise: float, seed: int) -> Episode:
    env = gymnasium.make(env_id, disable_env_checker=True)
    task = env.unwrapped
    task.images_in_step = False
    expert = envs.make_expert(env_id, seed=seed)
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    push, deepest, held = np.zeros(3), 0.0, []
    done, info, steps = False, {"success": False}, 0
    while not done:
        action = expert(env)
        if noise:
            push = next_push(push, rng)
            action[:3] += push
            action[:6] += rng.normal(0, noise, 6)
        _, _, terminated, truncated, info = env.step(np.clip(action, -1, 1).astype(np.float32))
        steps, done = steps + 1, terminated or truncated
        deepest = max(deepest, -min(task.data.contact.dist, default=0.0))
        if task.is_gripped():
            position, rotation = task.panda.pose(task.data)
            held.append(rotation.T @ (task.data.body("cube").xpos - position))
        else:
            held.clear()
    env.close()
    stray = float(np.linalg.norm(held[-1] - held[1])) if len(held) > 1 else 0.0
    return Episode(seed, info["success"], steps, deepest, stray)


def next_push(push: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A push off course begins once in 25 steps, has a random direction and lasts 3 steps on average."""
    if push.any():
        return push if rng.random() > 1 / 3 else np.zeros(3)
    if rng.random() > 0.04:
        return push
    direction = rng.normal(size=3)
    return rng.uniform(0.3, 1.0) * direction / np.linalg.norm(direction)


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """95% interval of a success rate (Wilson 1927)."""
    rate, shrink = successes / trials, 1 + z**2 / trials
    middle = (rate + z**2 / (2 * trials)) / shrink
    half = z / shrink * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="s2robot/PickCube-v0", choices=sorted(envs.TASKS))
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first episode")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--noise", type=float, default=0.0)
    args = parser.parse_args()

    start = time.perf_counter()
    seeds = range(args.seed, args.seed + args.episodes)
    with ProcessPoolExecutor(args.workers) as pool:
        episodes = list(pool.map(partial(run_episode, args.env, args.noise), seeds, chunksize=5))
    wall_s = time.perf_counter() - start

    solved = [e for e in episodes if e.success]
    low, high = wilson(len(solved), len(episodes))
    steps = np.array([e.steps for e in solved])
    print(
        f"{args.env}{f' with noise {args.noise}' if args.noise else ''}: {len(solved)}/{len(episodes)} solved"
    )
    print(f"  95% interval  {low:.4f} .. {high:.4f}")
    print(f"  steps         mean {steps.mean():.1f}, {steps.min()} .. {steps.max()}")
    print(f"  overlap       at most {1e3 * max(e.deepest_m for e in episodes):.2f} mm")
    print(f"  slip in hand  at most {1e3 * max(e.stray_m for e in solved):.2f} mm")
    print(
        f"  rate          {sum(e.steps for e in episodes) / wall_s:.0f} steps/s with {args.workers} processes"
    )
    print(f"  failed seeds  {[e.seed for e in episodes if not e.success]}")


if __name__ == "__main__":
    main()
