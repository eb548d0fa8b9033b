"""Files that appear under their name once they are complete, what may be opened, and the folder of caches."""

import errno
import glob
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCRATCH_SUFFIX = ".part"
TOKEN_BYTES = 8
MOST_TEXT_BYTES = 2**28  # of a text file that is read whole


def cache_root() -> Path:
    """`$S2ROBOT_CACHE`, or `s2robot` in the user's cache folder (`$XDG_CACHE_HOME` or `~/.cache`)."""
    if own := os.environ.get("S2ROBOT_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "s2robot"


@contextmanager
def replacing(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """An empty scratch file to write; it becomes `path` at the end of the block, or is deleted by an error.

    A reader sees the old file or the complete new one, never a part of it, also when the process is killed.
    The scratch file lies beside `path`, or in `folder` on the same file system. Raises `OSError` where it
    cannot be written.
    """
    scratch = create_scratch(path if folder is None else folder / path.name)
    try:
        yield scratch
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, complete or not at all. Raises `OSError`."""
    with replacing(path) as scratch:
        scratch.write_text(text)


def read_text(path: Path) -> str:
    """The text of a file of a run folder. Raises `OSError`, also for a link, which may lead anywhere."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OSError(errno.ELOOP, "is a link, which is not followed", str(path)) from error
    with open(file) as opened:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is no regular file", str(path))
        if status.st_size > MOST_TEXT_BYTES:
            raise OSError(errno.EFBIG, f"is larger than {MOST_TEXT_BYTES} bytes", str(path))
        return opened.read()


def create_scratch(path: Path) -> Path:
    """Create an empty file beside `path` under a name that no other process uses. Raises `OSError`."""
    scratch = scratch_name(path)
    # O_EXCL and O_NOFOLLOW: nothing that is already there, a link for one, is written to
    os.close(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
    return scratch


def scratch_name(path: Path) -> Path:
    """A fresh hidden name beside `path`, for a folder or a link that becomes `path` when it is complete."""
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(TOKEN_BYTES)}{SCRATCH_SUFFIX}")


def leftovers(path: Path) -> Iterator[Path]:
    """Scratch files and folders for `path` that killed processes left, or that running ones are writing."""
    token = "[0-9a-f]" * (2 * TOKEN_BYTES)  # not just `*`: `.a.b.0123.part` belongs to `a.b`, not to `a`
    yield from path.parent.glob(f".{glob.escape(path.name[:100])}.{token}{SCRATCH_SUFFIX}")


def not_regular(path: Path) -> str:
    """Why there is no regular file at a path, "" if there is one. Opens nothing: a pipe would wait.

    What reads a stranger's files asks this before it opens one.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return f"is a link to {path.readlink()}, which is not there" if path.is_symlink() else "is not there"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError as error:  # a zero byte in the name
        return f"is no path: {error}"
    if stat.S_ISDIR(mode):
        return "is a folder, not a file"
    if stat.S_ISREG(mode) and not os.access(path, os.R_OK):
        return "cannot be read: Permission denied"
    return "" if stat.S_ISREG(mode) else "is no regular file but a pipe, a socket or a device"
