"""Whether an environment gives a policy what it was trained on, and whether this machine can show it."""

from collections.abc import Mapping
from typing import Any

import gymnasium

import envs
from envs import opengl, robosuite
from envs.robosuite import environment_of
from s2robot.errors import UserError, unknown_name
from s2robot.types import Spec

__all__ = ["check_environment", "check_rendering", "environment_of", "is_installed"]


def check_rendering() -> None:
    """Raise `UserError` naming the system packages that miss when nothing can be rendered here."""
    if opengl.configure() == opengl.DISABLED:
        raise UserError(opengl.MISSING)


def is_installed(env_id: str) -> bool:
    """Whether an environment can be made here: it is registered, and so is the package it comes from."""
    return env_id in gymnasium.registry and (env_id not in robosuite.TASKS or robosuite.is_installed())


def check_environment(spec: Spec, env_id: str, env_kwargs: Mapping[str, Any]) -> None:
    """Build the environment once and compare its spaces with `spec`. Raises `UserError` in one line."""
    if env_id not in gymnasium.registry:
        raise unknown_name("environment", env_id, envs.KNOWN)
    try:
        env = gymnasium.make(env_id, **env_kwargs)
    except (ValueError, TypeError) as error:
        raise UserError(f"{env_id} cannot be made with {dict(env_kwargs)}: {error}") from error
    observed, acted = env.observation_space, env.action_space
    env.close()
    if not isinstance(observed, gymnasium.spaces.Dict):
        raise UserError(f"{env_id} observes {observed}; a Dict of observation keys is wanted")
    if acted.shape != (spec.action_dim,):
        raise UserError(
            f"{env_id} takes actions of shape {acted.shape}, the demonstrations' have {spec.action_dim}"
        )
    wanted: dict[str, tuple[int, ...]] = {key: (*size, 3) for key, size in spec.images.items()}
    wanted |= {key: (dim,) for key, dim in spec.proprio.items()}
    for key, shape in wanted.items():
        if key not in observed.spaces:
            raise UserError(f"{env_id} does not observe {key!r}; it observes {', '.join(observed.spaces)}")
        if observed[key].shape != shape:
            raise UserError(
                f"{env_id} observes {key} of shape {observed[key].shape}, the policy wants {shape}"
            )
