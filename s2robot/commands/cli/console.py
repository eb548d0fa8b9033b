"""How a command ends when its user made a mistake: one line on stderr and status 2."""

import errno
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from s2robot.errors import UserError
from s2robot.processes.ending import Terminated

BAD_INPUT = 2  # exit status
INTERRUPTED = 130
UNREAD = 141  # as of a program that SIGPIPE ended: who read its output has gone, as in `... | head`

# A file that is missing, is in the way or may not be used, a full disk, and a name that is too long are for
# the user to mend. Any other OSError (a broken pipe to a worker, a library's own) is a defect and keeps its
# traceback.
ABOUT_A_PATH = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG)


def open_missing_streams() -> None:
    """Lead standard streams that a daemon's parent has closed to nowhere; Python has None in their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 (for as long as the process lives)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print a user's mistake as one line and exit; anything else is a defect and keeps its traceback."""
    with _quiet_unread():
        try:
            yield
        except UserError as error:
            _refuse(error)
        except OSError as error:
            if not is_users(error):
                raise
            _refuse(_in_words(error))
        except RuntimeError as error:
            if "torch" not in sys.modules:  # which nothing here imports
                raise
            from s2robot.device import lost_gpu

            if (lost := lost_gpu(error)) is None:
                raise
            _refuse(lost)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(INTERRUPTED)
        except Terminated as ended:
            print(f"stopped by {ended.signal.name}", file=sys.stderr)
            sys.exit(ended.code)


def is_users(error: OSError) -> bool:
    """Whether an error of the operating system is about a file the user can name, or about free space."""
    return error.errno in NO_ROOM or (isinstance(error, ABOUT_A_PATH) and error.filename is not None)


@contextmanager
def _quiet_unread() -> Iterator[None]:
    """Exit without words when nobody reads standard output any more."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be written
        sys.exit(UNREAD)


def _nobody_reads() -> bool:
    """Whether standard output leads to a pipe whose reader has gone."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)  # errors are always told
    return bool(output.poll(0))


def _in_words(error: OSError) -> str:
    """`/data/run: Permission denied`, without the number."""
    where = " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    return ": ".join(filter(None, [where, error.strerror or str(error)]))


def _refuse(error: Exception | str) -> None:
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(BAD_INPUT)
