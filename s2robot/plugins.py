"""Plugins: modules of other people that register encoders, heads, policies, dataset formats and tasks.

An installed plugin names its module as an entry point of the group `s2robot.plugins`:

    [project.entry-points."s2robot.plugins"]
    my_plugin = "my_plugin"

Any other module on PYTHONPATH is loaded by name: `plugins=[my_module]` or `--plugins my_module`. Nothing else
is imported: not a module that only a dataset or a checkpoint names, and none from the current folder. A
plugin that registers its members with `s2robot.registry.Lazy` costs no start-up time.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import entry_points

from s2robot.errors import UserError

GROUP = "s2robot.plugins"
GIVEN = "named by plugins="
INSTALLED = "of the installed package"

_loaded: dict[str, str] = {}  # module -> where its name was found


def load(names: Sequence[str] = (), source: str = GIVEN) -> None:
    """Import the installed plugins and the modules `names`, each once in a process; `source` is for messages.

    Raises `UserError` in one line for a module that is not there, that fails, or that registers a name twice.
    """
    for point in entry_points(group=GROUP):
        package = point.dist.name if point.dist else "?"
        _load(point.module, f"{INSTALLED} {package}; `pip uninstall {package}` removes it")
    for name in names:
        _load(name, source)


def loaded() -> list[str]:
    """The modules that were loaded by name: what `load` is given in another process."""
    return [name for name, source in _loaded.items() if not source.startswith(INSTALLED)]


def _load(name: str, source: str) -> None:
    if name in _loaded:
        return
    try:
        with _without_current_folder():
            import_module(name)
    except UserError as error:  # of a registry: a name that is taken
        raise UserError(f"plugin {name!r} ({source}): {error}") from error
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise UserError(f"plugin {name!r} ({source}) needs a module that is missing: {error}") from error
        raise UserError(
            f"no module {name!r} ({source}): plugins are installed or on PYTHONPATH; the current folder is "
            "not searched"
        ) from error
    except (Exception, SystemExit) as error:  # anything can be wrong in a stranger's module; it is chained
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"plugin {name!r} ({source}) cannot be imported: {reason}") from error
    _loaded[name] = source


@contextmanager
def _without_current_folder() -> Iterator[None]:
    """Take the entry out of `sys.path` that `python -m` and `python -c` put first: the current folder."""
    first = sys.path[0] if sys.path else ""
    if sys.flags.safe_path or not sys.path or first not in ("", os.getcwd()):
        yield
        return
    del sys.path[0]
    try:
        yield
    finally:
        sys.path.insert(0, first)
