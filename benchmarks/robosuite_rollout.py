"""robosuite's Lift through `run_episodes` and through robomimic's own `rollout_with_stats`, one policy.

.venv-robosuite/bin/python benchmarks/robosuite_rollout.py runs/lift --episodes 20

The policy is a training's on Lift (`s2robot train data.path=lift.hdf5 run_dir=runs/lift`). robomimic's
loop calls it at every step: each frame is rendered and encoded, in a batch of one, and a new chunk is
predicted when the last one is used up, as often as ours is called. Cameras, their size, shadows and samples
are those of the training on both sides, episodes end with success on both. Starts are drawn from the same
distribution; robomimic's cannot be seeded one by one.
"""

import argparse
import sys
import time
import types
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inputs import stacked

from envs.robosuite import TASKS, to_env_args
from s2robot.device import torch_threads
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.cameras import CameraEncoders
from s2robot.evaluation.seeds import evaluation_seeds
from s2robot.rollouts.agent import Agent
from s2robot.rollouts.episodes import run_episodes
from s2robot.rollouts.sizes import default_workers
from s2robot.runs import checkpoint
from s2robot.types import Observation

CPU = torch.device("cpu")


def stand_in() -> None:
    """What robomimic's EnvRobosuite imports for the name of an exception and for a count of GPUs."""
    mujoco_py: Any = types.ModuleType("mujoco_py")
    mujoco_py.builder = types.SimpleNamespace(MujocoException=RuntimeError)
    egl_probe: Any = types.ModuleType("egl_probe")
    egl_probe.get_available_devices = list
    sys.modules |= {"mujoco_py": mujoco_py, "egl_probe": egl_probe}


def robomimic_rollout(agent: Agent, episodes: int) -> tuple[float, float, float]:
    """Seconds, success rate and steps an episode of robomimic's loop."""
    stand_in()
    import robomimic.utils.obs_utils as obs_utils
    from robomimic.algo import RolloutPolicy
    from robomimic.envs.env_robosuite import EnvRobosuite
    from robomimic.utils.train_utils import rollout_with_stats

    spec = agent.policy.spec
    env_args = to_env_args(spec.env_id, spec.env_kwargs)
    modalities = {
        "rgb": [camera.key for camera in spec.cameras.values()],
        "low_dim": [*spec.proprio, "object"],
    }
    obs_utils.initialize_obs_utils_with_obs_specs({"obs": modalities})

    class Asked(RolloutPolicy):
        """The agent as robomimic calls it: one observation, one action."""

        def __init__(self) -> None:
            self.history: deque[Observation] = deque(maxlen=agent.obs_steps)
            self.actions: deque[np.ndarray] = deque()
            self.state: Any = None

        def start_episode(self) -> None:
            self.history.clear()
            self.actions.clear()
            self.state, self.generator = None, torch.Generator().manual_seed(0)

        def __call__(self, ob: dict[str, np.ndarray], goal: Any = None) -> np.ndarray:
            frames = {name: np.ascontiguousarray(ob[camera.key]) for name, camera in spec.cameras.items()}
            seen = Observation(
                {name: agent.encoders.encode(name, frame[None]) for name, frame in frames.items()},
                {key: torch.as_tensor(ob[key], dtype=torch.float32)[None] for key in spec.proprio},
            )
            self.history.extend([seen] * (1 if self.history else agent.obs_steps))
            if not self.actions:
                with torch_threads(1):  # as `Agent` does
                    chunk, after = agent.policy.predict(stacked(self.history), [self.state], [self.generator])
                self.state = after[0] if after is not None else None
                self.actions.extend(chunk[0, : agent.action_steps].numpy())
            return np.clip(self.actions.popleft(), -1.0, 1.0)

    env = EnvRobosuite(
        env_args["env_name"], use_image_obs=True, postprocess_visual_obs=False, **_makeable(env_args)
    )
    start = time.perf_counter()
    horizon = TASKS[spec.env_id].max_episode_steps
    with torch.inference_mode():
        logs, _ = rollout_with_stats(
            Asked(), {"Lift": env}, horizon, num_episodes=episodes, terminate_on_success=True
        )
    seconds = time.perf_counter() - start
    return seconds, float(logs["Lift"]["Success_Rate"]), float(logs["Lift"]["Horizon"])


def _makeable(env_args: dict[str, Any]) -> dict[str, Any]:
    """The arguments without those that EnvRobosuite sets itself."""
    own = ("has_renderer", "has_offscreen_renderer", "ignore_done", "use_object_obs", "use_camera_obs")
    return {key: value for key, value in env_args["env_kwargs"].items() if key not in own}


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("run_dir", type=Path, help="of a training on Lift")
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--theirs", type=int, help="episodes of robomimic's loop (default: as many)")
    parser.add_argument("--workers", type=int, default=default_workers())
    arguments = parser.parse_args()
    keep_freed_memory()

    loaded = checkpoint.load(arguments.run_dir / "checkpoints" / "last")
    spec = loaded.policy.spec
    agent = Agent(loaded.policy, CameraEncoders.from_dict(loaded.encoders, CPU), CPU)
    seeds = evaluation_seeds(arguments.episodes, loaded.training_seeds)
    count = arguments.theirs or arguments.episodes
    theirs_s, theirs_success, theirs_steps = robomimic_rollout(agent, count)
    start = time.perf_counter()
    ours = run_episodes(agent, spec.env_id, seeds, spec.env_kwargs, workers=arguments.workers)
    ours_s = time.perf_counter() - start

    rates = 60 * count / theirs_s, 60 * len(ours) / ours_s
    steps = np.mean([result.steps for result in ours])
    success = np.mean([result.success for result in ours])
    print(f"{spec.env_id}, {loaded.policy.config.name}, {loaded.encoders['name']}, {spec.cameras}")
    print("                        episodes/min  steps/s  success  steps an episode")
    told = [("rollout_with_stats", rates[0], theirs_success, theirs_steps)]
    told.append((f"run_episodes, {arguments.workers} workers", rates[1], float(success), float(steps)))
    for name, rate, rate_of_success, length in told:
        print(f"  {name:24}{rate:8.1f} {rate * length / 60:8.1f} {rate_of_success:8.1%} {length:8.1f}")
    print(
        f"  {rates[1] / rates[0]:.2f}x the episodes (wanted: 2x), "
        f"{rates[1] * steps / (rates[0] * theirs_steps):.2f}x the steps a second"
    )


if __name__ == "__main__":
    main()
