"""The environment in which a dataset was recorded: what a policy trained on it is rolled out in."""

from dataclasses import replace
from typing import Any

import gymnasium

from s2robot import parallel
from s2robot.datasets.action_checks import outside
from s2robot.datasets.dataset import Dataset
from s2robot.errors import UserError
from s2robot.evaluation.options import EnvConfig
from s2robot.rollouts.chosen_by_file import check_chosen, recorded_arguments
from s2robot.rollouts.environment import check_environment, environment_of, problem
from s2robot.rollouts.mapping import ObservationMapping
from s2robot.rollouts.resolving import UnknownEnvironment, load_module, resolve
from s2robot.types import Spec


def recorded_environment(dataset: Dataset, env: EnvConfig | None = None) -> tuple[str, dict[str, Any]]:
    """Id and arguments for `gymnasium.make`; an empty id where the dataset says none that is of use.

    An environment of robosuite executes absolute poses where the actions are such. `env` goes first: what was
    recorded of another environment is not given to it. What a dataset must not choose is left out with a
    warning.
    """
    env = env or EnvConfig()
    env_id, kwargs = environment_of(dataset.env_args, dataset.absolute)
    if dataset.env_args is not None and not env_id:
        _say("env_args names no controller that could execute absolute actions")
    if env.id:
        load_module(env.id)
    chosen = env.id or env_id
    if chosen and not problem(chosen):
        try:
            kwargs, _ = recorded_arguments(env_id, kwargs, chosen)
            own = {name: value for name, value in kwargs.items() if name not in env.kwargs}
            check_chosen(dataset.path, chosen, own, named=bool(env.id), belong=True)
        except UserError as error:
            _say(error)
            return env.id or "", dict(env.kwargs)
    return chosen, {**kwargs, **env.kwargs}


def why_no_rollouts(dataset: Dataset, env_id: str, env: EnvConfig) -> str:
    """Why the environment of a dataset cannot be made here, in one line; empty if it can."""
    try:
        resolve(env_id)
    except UnknownEnvironment as error:
        if env.id:  # a name that the user gave may be a slip: the message has the nearest one
            return str(error)
        name = (dataset.env_args or {}).get("env_name")
        return f"its env_args names {name!r}, which is no environment here; env.id=NAME chooses another"
    except UserError as error:
        return str(error)
    return ""


def check_recorded_environment(
    dataset: Dataset,
    spec: Spec,
    mapping: ObservationMapping | None = None,
) -> Spec:
    """Build the environment once and compare it with what was recorded in it; returns what rollouts will use.

    Actions outside of its box are said. Raises `UserError` where it observes or takes something else; where
    the user chose the actions, that is said and the environment is left out.
    """
    try:
        acted = check_environment(spec, spec.env_id, spec.env_kwargs, mapping)
    except UserError as error:
        if dataset.options.actions is None:
            raise
        _say(f"no rollouts with these actions: {error}")
        return replace(spec, env_id="", env_kwargs={})
    if isinstance(acted, gymnasium.spaces.Box) and not dataset.has_known_box:  # else it was said before
        _say(outside(dataset, acted.low, acted.high))
    return spec


def _say(line: object) -> None:
    """Print a warning, from one process; nothing for None."""
    if line is not None and parallel.is_main():
        print(f"warning: {line}")
