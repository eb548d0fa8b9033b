"""HDF5 files of strangers: opened, found in folders, and one clear line for what is wrong with them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py

from s2robot.datasets.hdf5_heaps import endless_heap
from s2robot.datasets.natural import natural
from s2robot.datasets.problem import Problem
from s2robot.errors import UserError
from s2robot.files import not_regular

SHOWN = 6  # names in a message
LFS = b"version https://git-lfs"
SUFFIXES = (".hdf5", ".h5")  # of files that are written
FOUND = (*SUFFIXES, ".hdf")  # of those that are looked for in a folder

# What h5py raises for a damaged file, depending on what is damaged
FAULTS = (RuntimeError, OSError, KeyError, ValueError, TypeError, OverflowError, MemoryError)


def said(error: BaseException) -> str:
    """The text of an error in one line."""
    return " ".join(str(error).split())


@contextmanager
def readable(file: Path, episode: str = "", key: str = "") -> Iterator[None]:
    """Around all that reads what an HDF5 file says of itself: what h5py raises becomes a `UserError`."""
    try:
        yield
    except UserError:
        raise
    except FAULTS as error:
        problem = f"it cannot be read, the file may be damaged: {said(error)}"
        raise UserError(str(Problem(problem, str(file), episode, key))) from error


def open_hdf5(path: Path) -> h5py.File:
    """The file, opened for reading. Raises `UserError` in one line, with what mends it if that is known."""
    fault = not_regular(path)
    if fault == "is not there":
        raise UserError(f"no dataset at {path}: there is no such file or folder; check data.path")
    fault = fault or _content_fault(path)
    if fault:
        raise UserError(f"{path} {fault}")
    try:
        return h5py.File(path, "r")
    except FAULTS as error:
        raise UserError(f"{path} cannot be opened, {_reason(said(error))}") from error


def _content_fault(path: Path) -> str:
    """Why a regular file is no HDF5 file, "" if it is one."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not start:
        return "is empty (0 bytes)"
    if start.startswith(LFS):
        return "is a Git LFS pointer, not the data: run `git lfs pull` where it came from"
    if not h5py.is_hdf5(path):
        return "is not an HDF5 file; datasets are HDF5 files (robomimic, ALOHA) or LeRobot folders"
    if (byte := endless_heap(path)) is not None:
        return f"is damaged at byte {byte}: HDF5 would read its texts without end; copy the file again"
    return ""


def _reason(error: str) -> str:
    """Why HDF5 did not open a file that is one, and what to do."""
    if "unable to lock" in error:
        return (
            "another program has it open for writing: close that program, or set "
            "HDF5_USE_FILE_LOCKING=FALSE if nothing is being written"
        )
    if "already open for write" in error or "consistency flags" in error:
        return (
            "another program has it open for writing or died while it did: close that program, "
            "or run `h5clear -s FILE` on a copy"
        )
    if "version" in error:
        return f"it was written by a newer version of HDF5 than {h5py.version.hdf5_version}: {error}"
    return f"it may be truncated: {error}"


def files_with(path: Path, groups: Sequence[str]) -> list[Path]:
    """The HDF5 files at a path or directly in a folder that have one of these groups, in natural order.

    Raises `UserError` for a file in the folder that is named like an HDF5 file and cannot be opened as one.
    """
    if not path.is_dir():
        return [path] if not (not_regular(path) or _content_fault(path)) and _opens_with(path, groups) else []
    return [file for file in hdf5_in(path) if _has(file, groups)]


def hdf5_in(folder: Path) -> list[Path]:
    """What is named like an HDF5 file directly in a folder, in natural order; hidden files are none."""
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in FOUND and not file.is_dir() and not file.name.startswith(".")
    ]
    return sorted(files, key=lambda file: natural(file.name))


def layout(path: Path) -> str:
    """What is at the root of an HDF5 file, for messages. Raises `UserError` for what is none."""
    with open_hdf5(path) as file, readable(path):
        return f"{members(file)} at its root"


def members(group: h5py.Group) -> str:
    """Names of what is in a group, for messages."""
    names = list(group)
    more = f", ... ({len(names)})" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}" if names else "nothing"


def _has(file: Path, groups: Sequence[str]) -> bool:
    with open_hdf5(file) as opened, readable(file):
        return any(group in opened and not _is_array(opened, group) for group in groups)


def _is_array(file: h5py.File, name: str) -> bool:
    """Whether this is an array, as in flat files of many trajectories; a link is followed elsewhere."""
    link = file.get(name, getlink=True)
    return isinstance(link, h5py.HardLink) and file.get(name, getclass=True) is h5py.Dataset


def _opens_with(file: Path, groups: Sequence[str]) -> bool:
    """The same of a file that may be no dataset: opening it again says why."""
    try:
        return _has(file, groups)
    except UserError:
        return False
