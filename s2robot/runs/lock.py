"""One writer a folder: a lock file that names its owner, and a lock that ends with the owner's process.

The lock is the kernel's (`flock`; NFS carries it between machines), so a killed process leaves none behind.
On a file system without locks the file itself is the lock: it is created exclusively, and after a crash a
user has to delete it.
"""

import errno
import fcntl
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from s2robot.errors import UserError

NAME = ".lock"
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)  # what such file systems answer
MOST_BYTES = 4096  # of a lock file

_typed: list[str] = []  # behind the program's name; Hydra is given a `sys.argv` without the command


def note_command(words: Sequence[str]) -> None:
    """Keep what was typed, for the lock files of this process."""
    _typed[:] = words


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it is not there (and removed again if it stays empty).

    Raises `UserError` naming the owner when another process (or another part of this one) holds it, and where
    the folder cannot be made; `what` is what the folder is, such as `run_dir=runs/a`.
    """
    if fault := in_the_way(folder):
        raise UserError(f"{what}: {fault}")
    path = folder / NAME
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    file = _acquire(path, what)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held, so that nobody else's is deleted
        os.close(file)
        for one in made:
            if one.is_dir() and not any(one.iterdir()):
                one.rmdir()


def in_the_way(folder: Path) -> str:
    """Why a folder neither is there nor can be made, "" if it can: a file, or a link that leads nowhere."""
    for one in (folder.absolute(), *folder.absolute().parents):
        if one.exists():
            return "" if one.is_dir() else f"{one} is a file, expected a folder; say another name"
        if one.is_symlink():
            return f"{one} is a link to {one.readlink()}, which is not there; delete it or make that folder"
    return ""


def owner(folder: Path) -> str:
    """Who holds the lock of a folder: "" if nobody does, else a few words on the process."""
    try:
        file = os.open(folder / NAME, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return ""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _described(file)
    finally:
        os.close(file)
    return ""


def _acquire(path: Path, what: str) -> int:
    """A descriptor of the lock file, locked."""
    while True:
        file, created = _opened(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            told = _described(file)
            if error.errno in WITHOUT_LOCKS and created:
                print(f"{what}: this file system has no locks; {path} stands for one", file=sys.stderr)
            else:
                os.close(file)
                raise UserError(_refusal(error, path, what, told)) from error
        if _is_there(path, file):
            break
        os.close(file)  # its last owner has just deleted it
    command = [sys.argv[0], *_typed] if _typed else sys.argv
    about = {"pid": os.getpid(), "host": socket.gethostname()}
    about |= {"started": time.strftime("%Y-%m-%d %H:%M:%S"), "command": shlex.join(command)[:1000]}
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(about).encode(), 0)
    except OSError:  # no room
        path.unlink(missing_ok=True)
        os.close(file)
        raise
    return file


def _opened(path: Path) -> tuple[int, bool]:
    """A descriptor of the lock file, and whether this made it. A link is not followed."""
    flags = os.O_RDWR | os.O_NOFOLLOW
    while True:
        try:
            return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            pass
        try:
            return os.open(path, flags), False
        except FileNotFoundError:
            continue  # deleted in between
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise UserError(f"{path} is a link and no lock; delete it") from error


def _is_there(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(file))
    except FileNotFoundError:
        return False


def _refusal(error: OSError, path: Path, what: str, told: str) -> str:
    if error.errno in (errno.EAGAIN, errno.EACCES):
        return f"{what} is being written by {told}; wait for it, or choose another name"
    if error.errno in WITHOUT_LOCKS:
        return (
            f"{what} is on a file system without locks and {path} names {told}; delete it if that has ended"
        )
    return f"{what} cannot be locked: {error}"


def _described(file: int) -> str:
    """The owner as its lock file has it."""
    try:
        about = json.loads(os.pread(file, MOST_BYTES, 0))
        words = {key: " ".join(str(about[key]).split()) for key in ("pid", "host", "started", "command")}
    except (ValueError, TypeError, KeyError):  # it has only just been made
        return "another process"
    return "process {pid} on {host} since {started} ({command})".format(**words)
