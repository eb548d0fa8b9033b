"""Whether an environment gives a policy what it was trained on, and whether this machine can render it."""

import math
from collections.abc import Mapping
from typing import Any

import gymnasium

from s2robot.errors import UserError
from s2robot.rollouts.resolving import is_installed, make_env, own_envs, problem
from s2robot.types import Spec

__all__ = ["check_environment", "check_rendering", "environment_of", "is_installed", "problem"]


def check_rendering() -> None:
    """Raise `UserError` naming the system packages that are missing when nothing can be rendered here."""
    opengl = own_envs().opengl
    if opengl.configure() == opengl.DISABLED:
        raise UserError(opengl.MISSING)


def environment_of(env_args: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
    """Id and arguments for `gymnasium.make` from a dataset's `env_args` (robomimic's).

    The id is empty and there are no arguments where `env_args` name no environment.
    """
    env_args = env_args or {}
    name, kwargs = env_args.get("env_name"), env_args.get("env_kwargs", {})
    if not isinstance(name, str) or not isinstance(kwargs, Mapping):
        return "", {}
    own_envs()
    from envs import robosuite

    return robosuite.environment_of({**env_args, "env_kwargs": kwargs})


def check_environment(spec: Spec, env_id: str, env_kwargs: Mapping[str, Any]) -> None:
    """Build the environment once and compare its spaces with `spec`. Raises `UserError` in one line."""
    env = make_env(env_id, env_kwargs)
    observed, acted = env.observation_space, env.action_space
    env.close()
    if not isinstance(observed, gymnasium.spaces.Dict):
        raise UserError(f"{env_id} observes {observed}; it must observe a Dict of observation keys")
    if acted.shape != (spec.action_dim,):
        raise UserError(
            f"{env_id} takes actions of shape {acted.shape}, the demonstrations' have {spec.action_dim}"
        )
    for key, shape in spec.observed.items():
        if key not in observed.spaces:
            raise UserError(f"{env_id} does not observe {key!r}; it observes {', '.join(observed.spaces)}")
        found = observed[key].shape
        if key in spec.proprio and found is not None:
            found = (math.prod(found),)  # a policy reads it as a vector
        if found != shape:
            raise UserError(
                f"{env_id} observes {key} of shape {observed[key].shape}, the policy needs {shape}"
            )
