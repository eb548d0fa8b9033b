"""Where features and runs are written: whether it can be, and how much room there is."""

import os
import shutil
import tempfile
from pathlib import Path

from s2robot.files import cache_root
from s2robot.machine.finding import Finding

GIB = 2**30
LITTLE_ROOM = 2 * GIB


def findings() -> list[Finding]:
    return [
        _place("cache", cache_root(), "set S2ROBOT_CACHE to a folder that is yours"),
        _place("folder", Path.cwd(), "change to a folder in which runs can be written"),
    ]


def _place(what: str, folder: Path, mend: str) -> Finding:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent  # the cache is made when it is first used
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding(what, f"{folder} cannot be written ({os.strerror(error.errno or 0)})", mend, ok=False)
    free = shutil.disk_usage(there).free
    told = f"{folder}, {free / GIB:.0f} GiB free"
    return Finding(what, told, "" if free > LITTLE_ROOM else f"make room, or {mend}")
