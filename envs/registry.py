"""The registered environments and the experts that solve them."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np

MAX_EPISODE_STEPS = 100


@runtime_checkable
class Expert(Protocol):
    """A scripted solution: the action for the current privileged state of `env`, float32 (7,)."""

    def __call__(self, env: gymnasium.Env[Any, Any]) -> np.ndarray: ...


@dataclass(frozen=True)
class Task:
    """One registered environment: its class, the arguments that make it what it is, its expert.

    `noise` and `push_probability` say how much its expert can be disturbed, so that demonstrations show
    corrections and still succeed: the deviation of noise added to each motion component of an action, how
    likely a push off course begins in a step, and the largest drift (see `s2robot.collecting.disturbance`).
    """

    env: type[gymnasium.Env]
    expert: Callable[[int], Expert]  # seed -> expert
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    max_episode_steps: int = MAX_EPISODE_STEPS
    noise: float = 0.1
    push_probability: float = 0.04
    drift: float = 0.0


KNOWN: dict[str, Task] = {}  # id -> task


def register(env_id: str, task: Task) -> None:
    """Make a task known to Gymnasium and to the commands that collect, render and evaluate.

    A plugin calls it when it is imported: `envs.register("mine/Push-v0", envs.Task(Push, PushExpert))`.
    Raises ValueError for an id that is taken.
    """
    if env_id in KNOWN or env_id in gymnasium.registry:
        raise ValueError(f"environment {env_id!r} is registered twice")
    gymnasium.register(
        env_id,
        entry_point=f"{task.env.__module__}:{task.env.__qualname__}",
        kwargs=dict(task.kwargs),
        max_episode_steps=task.max_episode_steps,
    )
    KNOWN[env_id] = task


def make_expert(env_id: str, seed: int = 0) -> Expert:
    """The scripted expert of a task: `expert(env)` returns an action, float32 (7,) for this project's tasks.

    `seed` draws its style (pace). Raises ValueError for an unknown id.
    """
    name = env_id.removeprefix("envs:")
    if name not in KNOWN:
        near = difflib.get_close_matches(name, KNOWN, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown environment {env_id!r}; {hint}known: {', '.join(sorted(KNOWN))}")
    return KNOWN[name].expert(seed)
