"""What a collection of demonstrations is made with, every setting named."""

from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium

import envs
from envs.observing import ObservingEnv
from envs.robosuite import RobosuiteEnv
from s2robot.errors import UserError, unknown_name
from s2robot.rollouts.resolving import make_env

SEEDS_PER_COLLECTION = 1_000_000  # so that collections with other seeds share no episode
ROBOSUITE_SETTINGS = ("reward_type", "shadows", "samples", "env_kwargs")


@dataclass(frozen=True)
class Collection:
    """Everything that decides what is in the file."""

    env_id: str
    episodes: int
    seed: int = 0
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    noise: float | None = None  # standard deviation on each motion component of the action; None: the task's
    push_probability: float | None = None  # that a push begins, each step; None: the task's
    drift: float | None = None  # the largest, in action units; None: the task's
    keep_failures: bool = False


def episode_seed(collection_seed: int, attempt: int) -> int:
    """Reset seed of one attempt; unique over collections and attempts."""
    if attempt >= SEEDS_PER_COLLECTION:
        raise UserError(f"more than {SEEDS_PER_COLLECTION} attempts in one collection; split it over seeds")
    return collection_seed * SEEDS_PER_COLLECTION + attempt


def resolve(collection: Collection) -> Collection:
    """The collection with every setting filled in from the environment and the task.

    Raises `UserError` for settings that cannot be carried out.
    """
    if collection.env_id not in envs.KNOWN:
        if collection.env_id in gymnasium.registry:
            raise UserError(
                f"--env {collection.env_id}: Gymnasium has it, but no scripted expert for it is known, whose "
                f"episodes are collected; a module given by --plugins registers one with envs.register"
            )
        raise unknown_name("environment", collection.env_id, envs.KNOWN)
    if collection.episodes < 1:
        raise UserError(f"--episodes {collection.episodes}: it must be at least 1")
    if collection.seed < 0:
        raise UserError(f"--seed {collection.seed}: seeds start at 0")
    try:
        envs.make_expert(collection.env_id)
    except ValueError as error:
        raise UserError(f"{collection.env_id}: {error}") from error
    env = make_env(collection.env_id, collection.env_kwargs)
    env_kwargs = collection.env_kwargs | _settings(env.unwrapped)
    env.close()
    task = envs.KNOWN[collection.env_id]
    noise = task.noise if collection.noise is None else collection.noise
    pushes = task.push_probability if collection.push_probability is None else collection.push_probability
    drift = task.drift if collection.drift is None else collection.drift
    for option, value in (("noise", noise), ("push-probability", pushes), ("drift", drift)):
        if not 0 <= value <= 1:
            raise UserError(f"--{option} {value}: it must be a number from 0 to 1")
    return replace(collection, env_kwargs=env_kwargs, noise=noise, push_probability=pushes, drift=drift)


def _settings(env: gymnasium.Env) -> dict[str, Any]:
    """The arguments that an environment was made with, as far as it has them as attributes."""
    settings: dict[str, Any] = {}
    if isinstance(env, ObservingEnv):
        settings["image_size"] = list(env.image_size)
        settings["cameras"] = list(env.camera_names)
        settings["control_freq"] = env.metadata["render_fps"]
    if isinstance(env, RobosuiteEnv):
        settings |= {name: getattr(env, name) for name in ROBOSUITE_SETTINGS}
    return settings
