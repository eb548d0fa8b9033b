"""From an environment's id to the environment: the same rule for checks, rollouts and worker processes.

An id is a name that is registered with Gymnasium, or `module:name`. This project's own environments are
registered here, those of plugins when the plugin is loaded. A module that only a dataset or a checkpoint
names is not imported, because importing runs its code. Imports no PyTorch: workers must start quickly.
"""

import importlib.util
import logging
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium

import s2robot
from s2robot import plugins
from s2robot.errors import UserError, unknown_name
from s2robot.rollouts.names import OWN, split

logger = logging.getLogger(__name__)


class UnknownEnvironment(UserError):
    """No environment of this name is registered here."""


def resolve(env_id: str) -> str:
    """The name under which an environment can be made here, without its module.

    Raises `UserError` in one line for an id whose module is not imported yet, for a name that is not
    registered, and for an environment whose package is not installed.
    """
    module, name = split(env_id)
    if not name:
        raise UserError(
            "the dataset names no environment; env.id=NAME, or env.id=module:NAME, gives one to eval"
        )
    if name.startswith(OWN):
        own_envs()
    if module not in ("", "envs") and module not in sys.modules:
        raise UserError(
            f"environment {env_id!r}: its module {module!r} is not imported, as only the dataset or "
            f"checkpoint names it; if you trust it, give plugins=[{module}], or env.id={env_id} to eval"
        )
    if name not in gymnasium.registry:
        own_envs()  # they are known, too
        known = [key for key, spec in gymnasium.registry.items() if not is_gymnasiums(spec)]
        unknown = str(unknown_name("environment", name, known))
        if not name.startswith(OWN):  # a name of this project can only be a slip
            unknown += (
                "; the environment of another package needs plugins=[module], or "
                f"env.id=module:{name} for eval"
            )
        raise UnknownEnvironment(unknown)
    if name.startswith(OWN):
        robosuite = import_module("envs.robosuite")
        if name in robosuite.TASKS and not robosuite.is_installed():
            raise UserError(robosuite.MISSING)
    return name


def problem(env_id: str) -> str:
    """Why an environment cannot be made here, in one line; empty if it can."""
    try:
        resolve(env_id)
    except UserError as error:
        return str(error)
    return ""


def is_installed(env_id: str) -> bool:
    """Whether an environment can be made here."""
    return not problem(env_id)


def load_module(env_id: str) -> None:
    """Import the module of an id that the user gave on the command line, as a plugin is.

    Raises `UserError` in one line if it is not there or fails.
    """
    module, _ = split(env_id)
    if module not in ("", "envs"):
        plugins.load([module], source="named by env.id=")


def import_module_of(env_id: str) -> None:
    """Import the module of an id that was given in code, as `gymnasium.make` does; raises `UserError`."""
    module, _ = split(env_id)
    try:
        if module:
            import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(
            f"environment {env_id!r}: {error}; its module must be installed or on PYTHONPATH (the current "
            "folder is not searched)"
        ) from error


def make_env(env_id: str, env_kwargs: Mapping[str, Any]) -> gymnasium.Env:
    """`gymnasium.make` of an id that was resolved. Raises `UserError` in one line if it cannot be made."""
    name = resolve(env_id)
    try:
        return gymnasium.make(name, disable_env_checker=True, **env_kwargs)
    except (Exception, SystemExit) as error:  # a constructor may raise anything; the cause is chained
        reason = " ".join(str(error).split())
        if not isinstance(error, gymnasium.error.Error | ImportError | TypeError | ValueError):
            reason = f"{type(error).__name__}: {reason}"
        raise UserError(f"cannot make environment {env_id!r} with {dict(env_kwargs)}: {reason}") from error


def close_env(env: gymnasium.Env, env_id: str) -> None:
    """Close an environment; what it raises is said, and what was done in it stays."""
    try:
        env.close()
    except (Exception, SystemExit) as error:
        logger.warning("closing %s raised %s: %s", env_id, type(error).__name__, " ".join(str(error).split()))


def environment_of(env_args: Mapping[str, Any] | None, absolute: bool = False) -> tuple[str, dict[str, Any]]:
    """Id and arguments for `gymnasium.make` from a dataset's `env_args` (robomimic's).

    With `absolute`, robosuite's controller takes absolute poses. The id is empty and there are no arguments
    where `env_args` name no environment, or no controller that could.
    """
    env_args = env_args or {}
    name, kwargs = env_args.get("env_name"), env_args.get("env_kwargs", {})
    if not isinstance(name, str) or not isinstance(kwargs, Mapping):
        return "", {}
    own_envs()
    robosuite = import_module("envs.robosuite.dataset")
    complete = {**env_args, "env_kwargs": kwargs}
    if absolute and env_args.get("type") == robosuite.ROBOSUITE_TYPE:
        complete = robosuite.with_absolute_actions(complete)
    return robosuite.environment_of(complete) if complete else ("", {})


def own_envs() -> ModuleType:
    """This project's package `envs`, whose import registers its environments.

    Raises `UserError` if another package of that name is found first.
    """
    expected = Path(s2robot.__file__).resolve().parents[1] / "envs"
    found = importlib.util.find_spec("envs")
    if found is None or found.origin is None or Path(found.origin).resolve().parent != expected:
        where = found.origin if found is not None else "no package"
        raise UserError(
            f"the import of `envs` finds {where} and not s2robot's {expected}: another package or folder of "
            "this name comes first on the import path; uninstall or rename it"
        )
    return import_module("envs")


def is_gymnasiums(spec: Any) -> bool:
    """Whether a registered environment is one of those that come with Gymnasium."""
    entry = spec.entry_point
    return (entry if isinstance(entry, str) else getattr(entry, "__module__", "")).startswith("gymnasium.")
