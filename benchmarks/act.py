"""How long `policy.act` takes beside encoder and policy alone, for decisions of `bc` with Lite0 at 224 + 448.

    python benchmarks/act.py [--calls 50] [--threads 2]

Two 448-pixel cameras, random weights of the policy (time does not depend on them), a decision in every step.
`act` checks and copies the observation, keeps history, queue and state; alone, the same frames are encoded
and the policy predicts from their features. The calls take turns, so that a slow moment of the machine is one
for both.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from s2robot.deploy.loaded import LoadedPolicy
from s2robot.device import torch_threads
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.cameras import CameraEncoders
from s2robot.policies import POLICIES, make_policy
from s2robot.rollouts.trained import make_actor
from s2robot.types import CameraSpec, Features, Observation, Spec, image_key

CPU = torch.device("cpu")
CAMERAS = ("agentview", "robot0_eye_in_hand")
PROPRIO = {"robot0_eef_pos": 3, "robot0_eef_quat": 4, "robot0_gripper_qpos": 2}
SIZE = (448, 448)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    encoders = CameraEncoders("lite0", [224, 448], device=CPU)
    shapes = {name: encoders.feature_shape(name, SIZE) for name in CAMERAS}
    cameras = {name: CameraSpec(image_key(name), SIZE, shapes[name], 2) for name in CAMERAS}
    spec = Spec("", {}, 7, PROPRIO, cameras)
    policy = make_policy(spec, POLICIES["bc"].options(action_steps=1)).eval().requires_grad_(False)
    loaded = LoadedPolicy(make_actor(policy, encoders, CPU), spec)
    generator = np.random.default_rng(0)
    obs = {key: generator.integers(0, 2, s["shape"]).astype(s["dtype"]) for key, s in loaded.inputs.items()}
    proprio = {key: torch.from_numpy(obs[key])[None, None] for key in PROPRIO}

    @torch.inference_mode()
    def alone() -> None:
        seen = {name: encoders.encode(name, obs[image_key(name)][None]) for name in CAMERAS}
        maps = {name: Features(features.map[None]) for name, features in seen.items()}
        with torch_threads(1):
            policy.predict(Observation(maps, proprio))

    seconds: dict[str, list[float]] = {"act": [], "alone": []}
    for _ in range(arguments.calls + 3):
        seconds["act"].append(_timed(lambda: loaded.act(obs)))
        seconds["alone"].append(_timed(alone))
    act, both = (1000 * statistics.median(values[3:]) for values in seconds.values())
    name = encoders.base.backend.name
    print(f"backend {name}, {arguments.threads} threads, median of {arguments.calls} decisions")
    print(f"act {act:.2f} ms, encoder + policy alone {both:.2f} ms, ratio {act / both:.3f}")


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
