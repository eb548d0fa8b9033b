"""Demonstrations without images: what the privileged state says, and the expert's actions."""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from diagnosis.state import STATE

from s2robot.collecting.attempt import run_attempt
from s2robot.collecting.collection import Collection, resolve


@dataclass(frozen=True)
class Demonstration:
    """One episode of the disturbed expert; what was observed and the actions have one row a step."""

    success: bool
    obs: Mapping[str, np.ndarray]  # STATE
    actions: np.ndarray  # (n, 7), the expert's own


def make(env_id: str, env_kwargs: Mapping[str, Any] | None = None) -> gymnasium.Env:
    """The environment, which renders only when it is told to."""
    env = gymnasium.make(env_id, disable_env_checker=True, **(env_kwargs or {}))
    env.unwrapped.images_in_step = False  # type: ignore[attr-defined]
    return env


def demonstrations(
    env_id: str, episodes: int, workers: int, noise: float | None = None, drift: float | None = None
) -> tuple[list[Demonstration], int]:
    """The first successes of the expert, disturbed as in `s2robot collect`, and the number of attempts."""
    collection = resolve(Collection(env_id, episodes, noise=noise, drift=drift))
    done: list[Demonstration] = []
    with ProcessPoolExecutor(workers) as pool:
        while (missing := episodes - sum(one.success for one in done)) > 0:
            attempts = range(len(done), len(done) + max(missing, workers))
            done += pool.map(partial(_attempt, collection), attempts)
    last = [i for i, one in enumerate(done) if one.success][episodes - 1]
    return [one for one in done[: last + 1] if one.success], last + 1


def _attempt(collection: Collection, attempt: int) -> Demonstration:
    env = make(collection.env_id, collection.env_kwargs)
    episode = run_attempt(collection, attempt, env)
    env.close()
    obs = {key: episode.obs[key] for key in STATE}
    return Demonstration(bool(episode.success), obs, episode.arrays["actions"])
