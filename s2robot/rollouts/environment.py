"""Whether an environment gives a policy what it was trained on, and whether this machine can render it."""

import math
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from s2robot.errors import UserError
from s2robot.rollouts.acting_space import check_real
from s2robot.rollouts.mapping import ObservationMapping
from s2robot.rollouts.resolving import close_env, environment_of, is_installed, make_env, own_envs, problem
from s2robot.types import Spec

__all__ = ["check_environment", "check_rendering", "environment_of", "is_installed", "problem"]


def check_rendering() -> None:
    """Raise `UserError` saying what to install or to unset when nothing can be rendered here."""
    if problem := own_envs().opengl.problem():
        raise UserError(problem)


def check_environment(
    spec: Spec,
    env_id: str,
    env_kwargs: Mapping[str, Any],
    mapping: ObservationMapping | None = None,
) -> gymnasium.Space:
    """Build the environment once and compare its spaces with `spec`; returns that of its actions.

    Raises `UserError` in one line.
    """
    mapping = mapping or ObservationMapping()
    env = make_env(env_id, env_kwargs)
    observed, acted = env.observation_space, env.action_space
    close_env(env, env_id)
    if not isinstance(observed, gymnasium.spaces.Dict):
        raise UserError(f"{env_id} observes {observed}; it must observe a Dict of observation keys")
    if acted.shape != (spec.action_dim,):
        raise UserError(
            f"{env_id} takes actions of shape {acted.shape}, the demonstrations' have {spec.action_dim}"
        )
    check_real(env_id, acted)
    for wanted, shape in spec.observed.items():
        key = mapping.key(wanted)
        if key not in observed.spaces:
            raise UserError(
                f"{env_id} does not observe {key!r}; it observes {', '.join(observed.spaces)}: "
                "env.keys={name: key} says which is which"
            )
        found = observed[key].shape
        if wanted in spec.proprio and found is not None:
            found = (math.prod(found),)  # a policy reads it as a vector
        if found != shape:
            raise UserError(
                f"{env_id} observes {key} of shape {observed[key].shape}, the policy needs {shape}"
            )
        if wanted not in spec.proprio and observed[key].dtype != np.uint8:
            raise UserError(
                f"{env_id} observes {key} as {observed[key].dtype}, the policy needs uint8 in 0..255"
            )
    return acted
