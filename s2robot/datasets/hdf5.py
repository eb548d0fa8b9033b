"""Members of HDF5 files of strangers: links are followed only where allowed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import h5py

from s2robot.datasets.hdf5_files import FAULTS, said
from s2robot.datasets.hdf5_links import Folders, arrays_behind, fault_of

MOST_ARRAYS = 500  # of a demonstration
DEEPEST = 10  # groups inside each other

Member: TypeAlias = h5py.Group | h5py.Dataset | str  # or why it must not or cannot be read


def member(group: h5py.Group, name: str, folders: Folders) -> Member:
    """A member of a group, its link followed if it ends where `folders` allow."""
    if fault := fault_of(group, name, folders):
        return fault
    try:
        found = group[name]
    except FAULTS as error:
        return f"it cannot be opened, the file may be damaged: {said(error)}"
    return found if isinstance(found, h5py.Group | h5py.Dataset) else "it is no array"


def arrays(group: h5py.Group, folders: Folders, skip: Sequence[str] = ()) -> Iterator[tuple[str, Member]]:
    """Every array below a group, by its path from there; those of members named in `skip` are left out."""
    for count, found in enumerate(_arrays(group, folders, skip, "", [])):
        if count == MOST_ARRAYS:  # groups that hold many links to each other have endlessly many
            yield found[0], f"there are more than {MOST_ARRAYS} arrays below one demonstration"
            return
        yield found


def _arrays(
    group: h5py.Group, folders: Folders, skip: Sequence[str], prefix: str, above: Sequence[h5py.Group]
) -> Iterator[tuple[str, Member]]:
    try:
        names = list(group)
    except FAULTS as error:
        if not prefix:
            raise
        yield prefix[:-1], f"its members cannot be listed, the file may be damaged: {said(error)}"
        return
    for name in names[:MOST_ARRAYS]:
        if name in skip:
            continue
        found = member(group, name, folders)
        if isinstance(found, h5py.Group) and found in (group, *above):
            yield f"{prefix}{name}", "it is one of the groups that it is in"
        elif isinstance(found, h5py.Group) and len(above) < DEEPEST:
            yield from _arrays(found, folders, (), f"{prefix}{name}/", [*above, group])
        elif isinstance(found, h5py.Group):
            yield f"{prefix}{name}", f"groups are nested more than {DEEPEST} deep"
        else:
            yield f"{prefix}{name}", found


def identity(group: h5py.Group, path: str, folders: Folders) -> str:
    """Of an array's content: its file through all links, size, times of change, and its place in there.

    A virtual array also changes with all arrays that it is put together from, and these from others. Raises
    `UserError` for one that must not or cannot be read any more.
    """
    return " | ".join(f"{_stamp(file)} {name}" for file, name in arrays_behind(group, path, folders))


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{file.resolve()} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
