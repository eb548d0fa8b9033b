"""Drive a trained policy at 10 Hz, as a robot's control loop does, and print how regular its steps were.

    python examples/act_at_10_hz.py runs/demo [demos.hdf5] [steps]

The observations are those of a dataset's first demonstration, or noise. On a robot they come from its
drivers, with frames in the orientation that the demonstrations have.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import s2robot
from s2robot.datasets import open_dataset
from s2robot.errors import UserError

PERIOD_S = 0.1
Observations = Iterator[dict[str, Any]]


def noise(inputs: Mapping[str, Mapping[str, Any]]) -> Observations:
    """Random observations of the shapes and types that the policy reads."""
    generator = np.random.default_rng(0)
    while True:
        yield {
            key: generator.integers(0, 2, said["shape"]).astype(said["dtype"]) for key, said in inputs.items()
        }


def recorded(path: str, inputs: Mapping[str, Mapping[str, Any]]) -> Observations:
    """Those of the first demonstration of a dataset, over and over."""
    dataset = open_dataset(path)
    cameras = {dataset.observation_key(name): name for name in dataset.cameras}
    numbers = {key: dataset.low_dim(key) for key in inputs if key not in cameras}
    while True:
        for i in range(dataset.lengths[0]):
            frames = {
                key: dataset.read_frames(dataset.episodes[0], name, i, i + 1)[0]
                for key, name in cameras.items()
            }
            stored = {key: np.flip(frame, dataset.flips(cameras[key])) for key, frame in frames.items()}
            yield {key: stored[key] if key in stored else numbers[key][i] for key in inputs}


def main(run: str, data: str = "", steps: str = "50") -> None:
    """Act for some steps and print the jitter."""
    policy = s2robot.load_policy(run)
    observations = recorded(data, policy.inputs) if data else noise(policy.inputs)
    policy.act(next(observations))  # the first decision is slow: libraries plan for its shapes
    policy.reset()
    late_ms, busy_ms = [], []
    start = time.perf_counter()
    for step in range(int(steps)):
        due = start + step * PERIOD_S
        time.sleep(max(0.0, due - time.perf_counter()))
        obs = next(observations)
        began = time.perf_counter()
        action = policy.act(obs)  # send this to the robot
        late_ms.append(1000 * (began - due))
        busy_ms.append(1000 * (time.perf_counter() - began))
    print(f"last action {np.round(action, 3)}")
    for name, values in (("late", late_ms), ("act", busy_ms)):
        p50, p95, most = np.percentile(values, [50, 95, 100])
        print(f"{name}: median {p50:.1f} ms, 95% below {p95:.1f} ms, at most {most:.1f} ms")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except UserError as error:  # a mistake, told in one line
        sys.exit(f"error: {error}")
