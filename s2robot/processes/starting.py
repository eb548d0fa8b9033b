"""What child processes are given: where they search for modules, and whose children they are.

They search where this process does, but never in the current folder: `python -c`, which starts every child,
would put it first, and a file `random.py` that lies there would be executed.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import s2robot
from s2robot.processes.ending import PARENT


def child_environment() -> dict[str, str]:
    """Environment variables of a child: `sys.path` of this process, without the current folder's entry ""."""
    path = [entry for entry in sys.path if entry]
    if (own := str(Path(s2robot.__file__).parents[1])) not in path:
        path.append(own)  # this package was found through that entry
    return {**os.environ, **_given(os.pathsep.join(path))}


@contextmanager
def safe_children() -> Iterator[None]:
    """Give the children that `multiprocessing` starts inside the path of `child_environment`."""
    before, path = dict(os.environ), list(sys.path)
    os.environ.update(child_environment())
    sys.path[:] = filter(None, path)  # multiprocessing passes this list to its children
    try:
        yield
    finally:
        sys.path[:] = path
        for name in _given(""):
            if name in before:
                os.environ[name] = before[name]
            else:
                os.environ.pop(name, None)  # a command that was called in here has taken its own


def _given(path: str) -> dict[str, str]:
    return {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", PARENT: str(os.getpid())}
