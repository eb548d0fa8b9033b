"""Which folder a user means: a path may name a run or one of its checkpoints. Imports no PyTorch."""

import difflib
from pathlib import Path

from s2robot.errors import UserError
from s2robot.runs.replacement import ASIDE

CHECKPOINTS = "checkpoints"  # folder of a run
DESCRIPTION = "checkpoint.json"  # file of a checkpoint
LAST = "last"  # the link in `CHECKPOINTS` that is taken where only the run is named


def find_checkpoint(path: str | Path) -> Path:
    """The checkpoint that `path` names: the folder itself, of a run its `checkpoints/last`.

    Raises `UserError` if there is none.
    """
    path = Path(path)
    for folder in (path, path / LAST, path / CHECKPOINTS / LAST):
        if (folder / DESCRIPTION).is_file():
            return folder
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
