"""The checkpoints of a training by name: `step_00003000`, and the links `last` and `best`, which move."""

import json
import os
import re
from pathlib import Path

from s2robot.files import SCRATCH_SUFFIX, scratch_name
from s2robot.runs.replacement import remove

LINKS = ("last", "best")
NAME = re.compile(r"step_\d{8,}")
MOST_LINKS = 40  # that lead to each other, as in the kernel


def name_of(step: int) -> str:
    """The folder of a step's checkpoint."""
    return f"step_{step:08d}"


def resolved(path: Path) -> Path:
    """What a link at the end of a path leads to now; another path as it is."""
    for _ in range(MOST_LINKS):
        if not path.is_symlink():
            break
        path = path.parent / os.readlink(path)
    return path


def latest(folder: Path) -> Path | None:
    """The checkpoint to go on from: `last`, or the newest complete one where a kill left no such link."""
    if is_complete(last := folder / "last"):
        return resolved(last)
    return max(filter(is_complete, steps(folder)), key=step_of, default=None)


def steps(folder: Path) -> list[Path]:
    """All checkpoints of a folder, the oldest first."""
    return sorted((path for path in folder.glob("step_*") if NAME.fullmatch(path.name)), key=step_of)


def is_complete(path: Path) -> bool:
    """Whether there is a checkpoint: they appear under their name at once."""
    return (path / "checkpoint.json").is_file()


def point(folder: Path, link: str, name: str) -> None:
    """Let a link lead to the checkpoint of this name, in one step."""
    temporary = scratch_name(folder / link)
    temporary.symlink_to(name)
    os.replace(temporary, folder / link)


def mend(folder: Path) -> None:
    """Make links again of what a copy (`cp -rL`, a zip) turned into folders."""
    for link in (folder / name for name in LINKS):
        if link.is_symlink() or not is_complete(link):
            continue
        name = name_of(int(json.loads((link / "checkpoint.json").read_text())["step"]))
        link.rename(folder / name if not (folder / name).exists() else scratch_name(link))
        point(folder, link.name, name)


def prune(folder: Path, keep: int | None) -> None:
    """Delete all but the newest `keep` checkpoints (None: keep all) and those that a link leads to."""
    kept = {resolved(folder / link).name for link in LINKS}
    kept |= {path.name for path in steps(folder)[-keep if keep else 0 :]}
    for old in (*steps(folder), *folder.glob(f".*{SCRATCH_SUFFIX}")):  # some of killed trainings
        if old.name not in kept:
            remove(old)


def step_of(path: Path) -> int:
    """The step of a checkpoint, by its folder's name."""
    return int(path.name.removeprefix("step_"))
