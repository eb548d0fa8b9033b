"""Errors of a store: what is damaged, and what cannot be written."""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s2robot.errors import UserError


def damaged(path: Path, what: str, cure: str = "") -> UserError:
    """The error for a damaged file or segment; `cure`: what to delete, `path` unless given."""
    return UserError(
        f"feature store is damaged: {path}: {what}; delete {cure or path} and build the features again: "
        f"only what is lost is encoded"
    )


@contextmanager
def saving(folder: Path) -> Iterator[None]:
    """Errors while files of the store are written, such as a full disk, become a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write to feature store {folder}: {error.strerror}; what is stored so far stays usable"
        ) from error


def write_all(file: io.FileIO, data: bytes | memoryview) -> None:
    """Write all of it, in as many calls as the system needs."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[file.write(rest) :]


def file_size(file: Path) -> int:
    """Bytes of a file, 0 if there is none. Raises `UserError` for what is no regular file.

    It is opened, because network file systems may tell an old size to those who only look at its name.
    """
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise damaged(file, f"it cannot be opened: {error.strerror}") from error
    try:
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode):
            raise damaged(file, "it is no regular file")
        return status.st_size
    finally:
        os.close(opened)
