"""Calls of an environment whose answers are held against Gymnasium's interface."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from s2robot.errors import UserError

RESET = "reset(seed=...) must return (observation, info)"
STEP = "step(action) must return (observation, reward, terminated, truncated, info)"
OLD = "an environment of the older Gym interface needs a wrapper"


def reset(env: gymnasium.Env, env_id: str, seed: int) -> Any:
    """The first observation. Raises `UserError` for an answer that is not Gymnasium's."""
    try:
        given: Any = env.reset(seed=seed)
    except TypeError as error:
        if "unexpected keyword argument 'seed'" not in str(error):
            raise
        raise UserError(f"{env_id}: {error}; {RESET}; {OLD}") from error
    if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping)):
        raise UserError(f"{env_id}: reset returned {_told(given)}; {RESET}; {OLD}")
    return given[0]


def step(env: gymnasium.Env, env_id: str, action: np.ndarray) -> tuple[Any, float, bool, Mapping[str, Any]]:
    """Observation, reward, whether the episode has ended, info. Raises `UserError` as `reset` does."""
    try:
        given: Any = env.step(action)
    except ValueError as error:  # of a wrapper of Gymnasium around the environment
        if "values to unpack (expected 5" not in str(error):
            raise
        raise UserError(f"{env_id}: {error}; {STEP}; {OLD}") from error
    if not (isinstance(given, tuple) and len(given) == 5 and isinstance(given[4], Mapping)):
        raise UserError(f"{env_id}: step returned {_told(given)}; {STEP}; {OLD}")
    obs, reward, terminated, truncated, info = given
    if np.size(reward) != 1 or np.asarray(reward).dtype.kind not in "fiub":
        raise UserError(f"{env_id}: the reward is {reward!r}; it must be a number")
    return obs, float(np.asarray(reward).item()), bool(terminated or truncated), info


def endless(env_id: str, env_kwargs: Mapping[str, Any]) -> str:
    """What to say of an environment of which nobody limits the steps; "" where Gymnasium does."""
    limited = gymnasium.spec(env_id.rpartition(":")[2]).max_episode_steps is not None
    if limited or env_kwargs.get("max_episode_steps") is not None:
        return ""
    return (
        f"{env_id} is registered without max_episode_steps: an episode that it does not end by itself never "
        "ends; env.kwargs.max_episode_steps=N limits it"
    )


def _told(given: Any) -> str:
    if not isinstance(given, tuple):
        return type(given).__name__
    return f"({', '.join(type(one).__name__ for one in given)})"
