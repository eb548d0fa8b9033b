"""Where a tool writes: a new dataset that appears under its name when it is complete, or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from s2robot.datasets.hdf5_files import SUFFIXES
from s2robot.errors import UserError
from s2robot.files import leftovers, scratch_name

ROBOMIMIC, LEROBOT = "robomimic", "lerobot"


def format_of(target: Path) -> str:
    """The format of a dataset that is to be written: robomimic's for `.hdf5`, else a LeRobot folder.

    Raises `UserError` for the ending of another kind of file.
    """
    if target.suffix.lower() in SUFFIXES:
        return ROBOMIMIC
    if target.suffix[1:2].isalpha():  # not the end of `pusht_v1.0`
        raise UserError(
            f"{target}: {target.suffix} is no dataset's ending; {SUFFIXES[0]} makes a robomimic file, "
            f"a name without an ending a LeRobot folder"
        )
    return LEROBOT


@contextmanager
def writing(target: Path, inputs: Sequence[Path] = ()) -> Iterator[Path]:
    """A path to write at (nothing is there); it becomes `target` at the end of the block.

    What killed runs left for the same target is deleted first. Raises `UserError` in one line when the target
    is there, is one of the inputs or inside one, has no folder, or cannot be written.
    """
    if not target.parent.is_dir():
        raise UserError(f"{target}: there is no folder {target.parent}")
    for path in inputs:
        if target.resolve() == path.resolve():
            raise UserError(f"{target} is the dataset itself, which is never changed; choose another name")
        if path.is_dir() and target.resolve().is_relative_to(path.resolve()):
            raise UserError(f"{target} is inside of the dataset {path}, which is never changed")
    try:
        with _locked(target):
            yield from _fresh(target)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror or error}") from error


def _fresh(target: Path) -> Iterator[Path]:
    for old in leftovers(target):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    if target.exists() or target.is_symlink():
        raise UserError(f"{target} exists; delete it or choose another name")
    folder = scratch_name(target)
    folder.mkdir()
    try:
        yield folder / target.name
        if target.exists():
            raise UserError(f"{target} appeared while it was written; delete it and run the command again")
        (folder / target.name).rename(target)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Hold the lock of a target, which a killed process loses by itself."""
    path = target.with_name(f".{target.name[:100]}.lock")
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = path.exists() and os.stat(path).st_ino == os.fstat(file).st_ino  # not one just deleted
        except BlockingIOError:
            ours = False
        if not ours:
            raise UserError(f"{target} is being written by another process")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(file)
