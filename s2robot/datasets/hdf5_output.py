"""New HDF5 files on disks that may be full: HDF5 itself does not survive a write that fails."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py


class _Output(io.FileIO):
    """A file that keeps its first error to itself and then takes everything, to no effect."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        count = len(rest)
        while rest and self.error is None:
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:
                self.error = error
        return count

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def check(self) -> None:
        """Raise `OSError` if something was not written."""
        if self.error is not None:
            raise self.error


@contextmanager
def new_hdf5(path: Path) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """A new file, and a function that raises `OSError` if something could not be written until now.

    The same is raised at the end of the block.
    """
    with _Output(path) as output:
        with h5py.File(output, "w") as file:
            yield file, output.check
        output.check()
