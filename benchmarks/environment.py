"""What a control step and a frame cost: `python benchmarks/environment.py --env s2robot/PickCube-v0`.

Wall times are the medians of single calls; on a busy machine believe the CPU times.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np

import envs


def measure(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Milliseconds a call: median wall time, mean CPU time of this process."""
    call()
    walls, cpu_start = [], time.process_time()
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        walls.append(time.perf_counter() - start)
    return 1e3 * float(np.median(walls)), 1e3 * (time.process_time() - cpu_start) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="s2robot/PickCube-v0", choices=sorted(envs.TASKS))
    parser.add_argument("--size", type=int, default=448, help="of the images, in pixels")
    args = parser.parse_args()

    env = gymnasium.make(args.env, image_size=args.size, disable_env_checker=True)
    task: Any = env.unwrapped
    expert = envs.make_expert(args.env)

    def step() -> None:
        if task.step(expert(env))[2]:
            task.reset()

    env.reset(seed=0)
    rows = {"step and observation, all cameras": measure(step, 200)}
    for camera in task.camera_names:
        rows[f"frame of {camera}"] = measure(partial(task.observe, (camera,)), 200)
    task.images_in_step = False
    env.reset(seed=0)
    rows["step with its expert, no images"] = measure(step, 500)
    rows["expert alone"] = measure(lambda: expert(env), 500)
    print(f"{args.env} at {args.size}x{args.size}, milliseconds     wall    CPU")
    for name, (wall_ms, cpu_ms) in rows.items():
        print(f"  {name:45} {wall_ms:6.2f} {cpu_ms:6.2f}")
    print(f"  steps/s with all cameras: {1e3 / rows['step and observation, all cameras'][0]:.0f}")


if __name__ == "__main__":
    main()
