"""Where things that can be computed again are kept."""

import os
from pathlib import Path


def cache_root() -> Path:
    """`$S2ROBOT_CACHE`, or `s2robot` in the user's cache folder (`$XDG_CACHE_HOME` or `~/.cache`)."""
    if own := os.environ.get("S2ROBOT_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "s2robot"
