"""HDF5 files of strangers: one clear line for what is wrong, links followed only where allowed."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import h5py

from s2robot.datasets.natural import natural
from s2robot.errors import UserError

LFS = b"version https://git-lfs"
DEEPEST = 10  # groups inside each other; more are a circle of links
SUFFIXES = (".hdf5", ".h5")


def open_hdf5(path: Path) -> h5py.File:
    """The file, opened for reading. Raises `UserError` in one line, with what mends it if that is known."""
    if not path.is_file():
        raise UserError(f"no dataset at {path}: there is no such file or folder; check data.path")
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if not start:
        raise UserError(f"{path} is empty (0 bytes)")
    if start.startswith(LFS):
        raise UserError(f"{path} is a Git LFS pointer, not the data: run `git lfs pull` where it came from")
    if not h5py.is_hdf5(path):
        raise UserError(f"{path} is not an HDF5 file; a robomimic dataset (.hdf5) is wanted")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path} cannot be opened, {_reason(str(error))}") from error


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


class Folders:
    """The folders in which links of a dataset may end: its own and those of `data.allow_links`."""

    def __init__(self, path: Path, allowed: Sequence[str | Path] = ()) -> None:
        own = path.parent if path.is_file() else path
        self.folders = [own.resolve(), path.resolve().parent, *(Path(folder).resolve() for folder in allowed)]

    def refusal(self, target: Path) -> str:
        """Why a file must not be read, "" if it may be."""
        if not target.exists():
            return f"its link's target {target} is not there"
        if any(target.resolve().is_relative_to(folder) for folder in self.folders):
            return ""
        return (
            f"its link ends in {target}, outside of the dataset's folder; "
            f"data.allow_links=[{target.resolve().parent}] allows it"
        )


Member: TypeAlias = h5py.Group | h5py.Dataset | str  # or why it must not or cannot be read


def member(group: h5py.Group, name: str, folders: Folders) -> Member:
    """A member of a group, its link followed if it ends where `folders` allow."""
    in_this_file = group.id.links.get_info(name.encode()).type == h5py.h5l.TYPE_HARD
    link = None if in_this_file else group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        target = _beside(group, link.filename)
        if refused := folders.refusal(target):
            return refused
    try:
        found = group[name]
    except (KeyError, OSError) as error:
        where = getattr(link, "path", "")
        if isinstance(link, h5py.ExternalLink):
            where = f"{link.filename}:{where}"
        return f"its link to {where} leads nowhere" if where else f"it cannot be opened: {error}"
    if not isinstance(found, h5py.Group | h5py.Dataset):
        return "it is no array"
    if not in_this_file and (refused := folders.refusal(Path(found.file.filename))):  # a link behind a link
        return refused
    return _foreign(found, folders) if isinstance(found, h5py.Dataset) else found


def arrays(group: h5py.Group, folders: Folders, skip: Sequence[str] = ()) -> Iterator[tuple[str, Member]]:
    """Every array below a group, by its path from there; those of members named in `skip` are left out."""
    yield from _arrays(group, folders, skip, "", DEEPEST)


def _arrays(
    group: h5py.Group, folders: Folders, skip: Sequence[str], prefix: str, deeper: int
) -> Iterator[tuple[str, Member]]:
    for name in group:
        if name in skip:
            continue
        found = member(group, name, folders)
        if isinstance(found, h5py.Group) and deeper:
            yield from _arrays(found, folders, (), f"{prefix}{name}/", deeper - 1)
        elif isinstance(found, h5py.Group):
            yield f"{prefix}{name}", f"groups are nested more than {DEEPEST} deep"
        else:
            yield f"{prefix}{name}", found


def identity(dataset: h5py.Dataset) -> str:
    """Of an array's content: its file through all links, size, times of change, and its place in there.

    A virtual array also changes with the files that it is put together from.
    """
    parts = [f"{_stamp(Path(dataset.file.filename))} {dataset.name}"]
    if dataset.is_virtual:
        files = {source.file_name for source in dataset.virtual_sources()} - {"."}
        parts += [_stamp(_beside(dataset, name)) for name in sorted(files)]
    return " | ".join(parts)


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{file.resolve()} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _foreign(dataset: h5py.Dataset, folders: Folders) -> h5py.Dataset | str:
    """The array, or why what it reads from elsewhere must not be read."""
    stored = dataset.id.get_create_plist()
    if stored.get_external_count():
        return f"its numbers are in {dataset.external[0][0]} (external storage), which is never read"
    if stored.get_layout() == h5py.h5d.VIRTUAL:
        for source in dataset.virtual_sources():
            name = source.file_name
            if name != "." and (refused := folders.refusal(_beside(dataset, name))):
                return refused  # HDF5 would read a missing one as zeros
    return dataset


def _beside(of: h5py.Group | h5py.Dataset, name: str) -> Path:
    """Where HDF5 finds a file that is named in another one: in that one's folder."""
    return Path(of.file.filename).parent / name


def files_with(path: Path, groups: Sequence[str]) -> list[Path]:
    """The HDF5 files at a path or directly in a folder that have one of these groups, in natural order."""
    files = [path] if path.is_file() else [file for file in path.glob("*") if file.suffix in SUFFIXES]
    found = []
    for file in sorted(files, key=lambda file: natural(file.name)):
        if not h5py.is_hdf5(file):
            continue
        with contextlib.suppress(OSError), h5py.File(file, "r") as opened:  # opening it again says why
            if any(group in opened for group in groups):
                found.append(file)
    return found
