"""Where child processes search for modules: where this process does, but never in the current folder.

`python -c`, which starts every child, would put the current folder first, and a file `gymnasium.py` or
`random.py` that lies there would be executed in place of the module.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import s2robot


def child_environment() -> dict[str, str]:
    """Environment variables of a child: `sys.path` of this process, without the current folder's entry ""."""
    path = [entry for entry in sys.path if entry]
    if (own := str(Path(s2robot.__file__).parents[1])) not in path:
        path.append(own)  # this package was found through that entry
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"}


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
        for name in ("PYTHONPATH", "PYTHONSAFEPATH"):
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]
