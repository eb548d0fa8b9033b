"""How a command ends when its user made a mistake: one line on stderr and status 2."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import gymnasium

from s2robot.errors import UserError

BAD_INPUT = 2  # exit status
INTERRUPTED = 130


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print a user's mistake as one line and exit; anything else is a defect and keeps its traceback."""
    try:
        yield
    except (UserError, gymnasium.error.Error, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
