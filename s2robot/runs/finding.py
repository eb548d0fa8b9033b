"""Which folder a user means: a path may name a run or one of its checkpoints. Imports no PyTorch."""

import difflib
import logging
from pathlib import Path

from s2robot.errors import UserError
from s2robot.runs.replacement import ASIDE
from s2robot.runs.steps import latest

CHECKPOINTS = "checkpoints"  # folder of a run
DESCRIPTION = "checkpoint.json"  # file of a checkpoint
LAST = "last"  # the link in `CHECKPOINTS` that is taken where only the run is named

log = logging.getLogger(__name__)


def find_checkpoint(path: str | Path) -> Path:
    """The checkpoint that `path` names: the folder itself, of a run its `checkpoints/last`.

    Where a copy has lost that link it is the newest one, with a warning, as for a training that goes on.
    Raises `UserError` if there is none.
    """
    path = Path(path)
    for folder in (path, path / LAST, path / CHECKPOINTS / LAST):
        if (folder / DESCRIPTION).is_file():
            return folder
    lost = (path.parent,) if path.name == LAST else (path, path / CHECKPOINTS)
    if newest := next(filter(None, map(latest, lost)), None):
        log.warning(
            "%s leads to no checkpoint: was it lost in a copy? %s is taken", newest.parent / LAST, newest.name
        )
        return newest
    there = sorted(one.parent.name for one in path.parent.glob(f"*/{DESCRIPTION}"))
    near = difflib.get_close_matches(path.name, there, n=1, cutoff=0)
    hint = f"; {path.parent} has {', '.join(there)}, did you mean {near[0]!r}?" if near else ""
    if (aside := run_dir(path) / ASIDE).is_dir():
        hint = f"; the training that was to be replaced is in {aside}, the next `s2robot train` puts it back"
    raise UserError(
        f"no checkpoint at {path}: expected a run, or a folder with {DESCRIPTION} such as "
        f"RUN/{CHECKPOINTS}/{LAST}{hint}"
    )


def run_dir(path: str | Path) -> Path:
    """The run that `path` names: of a checkpoint the run that it belongs to, else `path` itself.

    A checkpoint that was copied out of a run is a run by itself.
    """
    path = Path(path)
    folder = path.absolute()
    if folder.name == CHECKPOINTS:
        return folder.parent
    return folder.parents[1] if folder.parent.name == CHECKPOINTS else path
