"""What a dataset or a checkpoint may choose of the environment that is made: files come from anyone.

The environments of this project and of the plugins that the user loads, with the arguments that their
constructors take, and no text among these that could be a path or stand for a value from elsewhere. All
else only the user chooses, on the command line. Imports no PyTorch.
"""

import re
from collections.abc import Mapping
from inspect import Parameter, isclass, signature
from typing import Any

import gymnasium
from gymnasium.envs.registration import load_env_creator

from s2robot.errors import UserError, unknown_name
from s2robot.rollouts.names import OWN, split
from s2robot.rollouts.resolving import is_gymnasiums, resolve

NAME = re.compile(r"[\w ,+-]*")  # a text that is no path, address or interpolation
STEPS = "max_episode_steps"  # which `gymnasium.make` takes itself
MOST_STEPS = 10_000  # of an episode
DEEPEST = 12  # mappings and lists inside each other


def check_chosen(
    source: object, env_id: str, kwargs: Mapping[str, Any], named: bool = False, belong: bool = False
) -> None:
    """Raise `UserError` in one line for what a file, `source`, must not choose.

    `kwargs` are its arguments alone, without those of the user; `named` says that the user gave the id. Where
    he did not, or if they `belong` to this environment, it may take them by `**kwargs`; else they must be
    declared. Raises it as well for an environment that cannot be made here, see `resolve`.
    """
    spec = gymnasium.registry[resolve(env_id)]
    if not named and is_gymnasiums(spec):
        raise UserError(
            f"{source} names {split(env_id)[1]!r}, an environment of Gymnasium: no file may choose it; "
            f"env.id={env_id} says that you want it"
        )
    declared, takes_any = declared_arguments(env_id)
    for name, value in kwargs.items():
        if name not in declared and not (takes_any and (belong or not named)):
            raise unknown_name("argument", str(name), declared, f"{source}: {env_id}")
        if not _is_harmless(value):
            raise UserError(
                f"{source} gives {env_id} the argument {name}={_short(value)}, which could be a path: no "
                f"file may choose it; env.kwargs.{name}=... says that you want it"
            )
    steps = kwargs.get(STEPS)
    if steps is not None and not (type(steps) is int and 1 <= steps <= MOST_STEPS):
        raise UserError(f"{source} gives {env_id} {STEPS}={_short(steps)}, expected 1 to {MOST_STEPS}")


def recorded_arguments(
    recorded_id: str, recorded: Mapping[str, Any], env_id: str
) -> tuple[dict[str, Any], list[str]]:
    """Those of the recorded arguments that an environment is made with, and the names of the others.

    They belong to the recorded environment. Of those of a task of this project another one takes what it
    declares, such as `image_size`: a policy needs frames of its size. Raises `UserError` as `resolve` does.
    """
    name, name_there = split(env_id)[1], split(recorded_id)[1]
    if name == name_there:
        return dict(recorded), []
    known = declared_arguments(env_id)[0] if name.startswith(OWN) and name_there.startswith(OWN) else set()
    sent = {one: value for one, value in recorded.items() if one in known}
    return sent, [one for one in recorded if one not in known]


def declared_arguments(env_id: str) -> tuple[set[str], bool]:
    """The arguments that an environment declares, and whether its maker takes any other: `**kwargs`.

    Those of this project declare all that they take. Raises `UserError` as `resolve` does.
    """
    name = resolve(env_id)
    declared, takes_any = _declared(gymnasium.registry[name].entry_point)
    return {*declared, STEPS}, takes_any and not name.startswith(OWN)


def _declared(entry_point: Any) -> tuple[set[str], bool]:
    """The arguments that the maker of an environment names, and its base classes where it passes on more.

    Then whether the last of them takes any other.
    """
    make = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    makers = (
        [vars(one)["__init__"] for one in make.__mro__[:-1] if "__init__" in vars(one)]
        if isclass(make)
        else [make]
    )
    names, takes_any = set[str](), False
    for maker in makers:
        parameters = signature(maker).parameters.values()
        names |= {
            one.name
            for one in parameters
            if one.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        }
        takes_any = any(one.kind is Parameter.VAR_KEYWORD for one in parameters)
        if not takes_any:
            break
    return names - {"self"}, takes_any


def _is_harmless(value: Any, deeper: int = DEEPEST) -> bool:
    if isinstance(value, str):
        return NAME.fullmatch(value) is not None
    inside: list[Any] = []
    if isinstance(value, Mapping):
        inside = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        inside = list(value)
    elif not isinstance(value, bool | int | float | None):
        return False
    return deeper > 0 and all(_is_harmless(one, deeper - 1) for one in inside)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
