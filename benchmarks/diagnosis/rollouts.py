"""Episodes of anything that decides from observations, with the phase in which each failed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from diagnosis.demonstrations import make
from diagnosis.imitation import Imitation
from diagnosis.phases import Progress
from diagnosis.state import OBJECT, Description

Decide = Callable[[Any, Mapping[str, np.ndarray]], np.ndarray]  # task, observation -> chunk (ta, 7)


@dataclass(frozen=True)
class Rollout:
    seed: int
    success: bool
    failed_in: str | None


@dataclass(frozen=True)
class FromState:
    """Decides from the privileged state, with an error of perception that lasts the episode."""

    model: Imitation
    description: Description
    error_mm: float = 0.0  # deviation along x and y of the part's position, and of the goal's
    seed: int = 0

    def __call__(self, task: Any, obs: Mapping[str, np.ndarray]) -> np.ndarray:
        seen = self.description.seen(obs[OBJECT])
        rng = np.random.default_rng(self.seed)
        for start in range(0, len(seen), 5):
            seen[start : start + 2] += 1e-3 * self.error_mm * rng.normal(size=2)
        return self.model.act(self.description.inputs(obs, seen))


def roll_out(
    decide: Callable[[int], Decide], env_id: str, seeds: Sequence[int], workers: int, action_steps: int
) -> list[Rollout]:
    """One episode a seed; `decide(seed)` decides on chunks, of which `action_steps` are executed."""
    if workers == 1:
        return [episode(decide, env_id, action_steps, seed) for seed in seeds]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(partial(episode, decide, env_id, action_steps), seeds, chunksize=4))


def episode(decide: Callable[[int], Decide], env_id: str, action_steps: int, seed: int) -> Rollout:
    """One episode."""
    torch.set_num_threads(1)
    env = make(env_id)
    obs, _ = env.reset(seed=seed)
    progress, act = Progress(env.unwrapped), decide(seed)
    success = done = False
    while not done:
        for action in act(env.unwrapped, obs)[:action_steps]:
            obs, _, terminated, truncated, info = env.step(np.clip(action, -1, 1))
            success, done = bool(info["success"]), terminated or truncated
            progress.note(success)
            if done:
                break
    env.close()
    return Rollout(seed, success, progress.failed_in)


def summary(rollouts: Sequence[Rollout]) -> dict[str, Any]:
    """Successes, episodes, and failures by phase."""
    failed = Counter(one.failed_in for one in rollouts if not one.success)
    return {
        "solved": sum(one.success for one in rollouts),
        "episodes": len(rollouts),
        "failed_in": dict(failed),
    }
