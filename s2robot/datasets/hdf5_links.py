"""Links and virtual arrays of HDF5 files: they are followed by hand first, so that no file is opened that
must not be: HDF5 would wait for a pipe, and read zeros where a source is missing."""

from collections.abc import Sequence
from pathlib import Path

import h5py

from s2robot.datasets.hdf5_files import FAULTS, open_hdf5, said
from s2robot.errors import UserError
from s2robot.files import not_regular

MOST_LINKS = 16  # one behind the other, as HDF5 has it; more are a circle
MOST_SOURCES = 16  # virtual arrays of virtual arrays


class Folders:
    """The folders in which links of a dataset may end: its own and those of `data.allow_links`."""

    def __init__(self, path: Path, allowed: Sequence[str | Path] = ()) -> None:
        own = path.parent if path.is_file() else path
        self.folders = [own.resolve(), path.resolve().parent, *(Path(folder).resolve() for folder in allowed)]

    def refusal(self, target: Path) -> str:
        """Why a file must not be read, "" if it may be."""
        if fault := not_regular(target):
            return f"its link's target {target} {fault}"
        if any(target.resolve().is_relative_to(folder) for folder in self.folders):
            return ""
        return (
            f"its link ends in {target}, outside of the dataset's folder; "
            f"data.allow_links=[{target.resolve().parent}] allows it"
        )


def fault_of(start: h5py.Group, path: str, folders: Folders) -> str:
    """Why what a path leads to must not or cannot be read, "" if it may be."""
    try:
        return _Way(folders).fault(start, path)
    except UserError as error:  # of a file in which a link ends
        return f"its link cannot be followed: {error}"
    except FAULTS as error:
        return f"it cannot be opened, the file may be damaged: {said(error)}"


def arrays_behind(start: h5py.Group, path: str, folders: Folders) -> list[tuple[Path, str]]:
    """File and name of the array that a path leads to, and of all sources of it if it is virtual.

    Raises `UserError` for an array that must not or cannot be read.
    """
    way = _Way(folders)
    if fault := way.fault(start, path):
        raise UserError(fault)
    return list(way.arrays)


def beside(of: h5py.Group | h5py.Dataset, name: str) -> Path:
    """Where HDF5 finds a file that is named in another one: in that one's folder."""
    return Path(of.file.filename).parent / name


class _Way:
    """The way along one path, through all links and the sources of virtual arrays."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.links = 0
        self.inside: list[tuple[str, str]] = []  # virtual arrays, file and name, of which this is a source
        self.known: set[tuple[str, str]] = set()  # sources without a fault
        self.arrays: dict[tuple[Path, str], None] = {}  # that were reached, in their order

    def fault(self, start: h5py.Group, path: str) -> str:
        """See `fault_of`."""
        here = start.file if path.startswith("/") else start
        for name in path.split("/"):
            if name in ("", "."):
                continue
            if not isinstance(here, h5py.Group) or name not in here:
                return f"{path} is not there"
            if fault := self._link_fault(here, name):
                return fault
            here = here[name]
        return self._array_fault(here) if isinstance(here, h5py.Dataset) else ""

    def _link_fault(self, group: h5py.Group, name: str) -> str:
        kind = group.id.links.get_info(name.encode(errors="surrogateescape")).type
        if kind == h5py.h5l.TYPE_HARD:
            return ""
        self.links += 1
        if self.links > MOST_LINKS:
            own = f"{group.name.rstrip('/')}/{name}"
            return f"its link {own} leads to itself, or through more than {MOST_LINKS} links"
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            return self._elsewhere(group, link.filename, link.path)
        fault = self.fault(group, link.path)
        return f"its link to {link.path} leads nowhere" if fault == f"{link.path} is not there" else fault

    def _elsewhere(self, of: h5py.Group | h5py.Dataset, name: str, path: str) -> str:
        target = beside(of, name)
        if refused := self.folders.refusal(target):
            return refused
        with open_hdf5(target) as file:
            fault = self.fault(file["/"], path)
        return f"its link to {name}:{path} leads nowhere" if fault == f"{path} is not there" else fault

    def _array_fault(self, array: h5py.Dataset) -> str:
        """Why what an array reads from elsewhere must not be read."""
        self.arrays[Path(array.file.filename), array.name] = None
        stored = array.id.get_create_plist()
        if stored.get_external_count():
            return f"its numbers are in {array.external[0][0]} (external storage), which is never read"
        if stored.get_layout() != h5py.h5d.VIRTUAL:
            return ""
        own = (array.file.filename, array.name)
        if own in self.inside:
            return f"the virtual array {array.name} is a source of itself"
        if len(self.inside) == MOST_SOURCES:
            return f"it is put together from virtual arrays, more than {MOST_SOURCES} one behind the other"
        self.inside.append(own)
        sources = array.virtual_sources()
        mapped = sum(source.vspace.get_select_npoints() for source in sources)
        if array.maxshape == array.shape and mapped < array.size:
            return f"only {mapped} of its {array.size} numbers are mapped to another array, the rest is empty"
        for source in sources:
            place = (str(beside(array, source.file_name)), source.dset_name)
            if source.file_name == ".":
                fault = self.fault(array.file["/"], source.dset_name)
            elif place in self.known:
                continue
            else:
                fault = self._elsewhere(array, source.file_name, source.dset_name)
            if fault:
                return fault
            self.known.add(place)
        self.inside.pop()
        return ""
