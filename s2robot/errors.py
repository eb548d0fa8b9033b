"""Mistakes of the user, described in one line: what is wrong, where, and what is expected."""

import difflib
from collections.abc import Iterable

MOST_NAMES = 40  # in a message; a dataset may have thousands of episodes


class UserError(ValueError):
    """Bad input. The entry points print its text, always one line, and exit with status 2."""

    def __init__(self, text: str = "") -> None:
        """`text` may quote what has several lines: a name in a file, or another library's message."""
        super().__init__(" ".join(str(text).splitlines()))


def number_of(number: int, noun: str) -> str:
    """`1 episode`, `2 episodes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def unknown_name(kind: str, name: str, known: Iterable[str], where: object = "") -> UserError:
    """The error for a name that is not in a registry: the nearest name, then those that there are.

    `where` has names of this kind and lacks this one: a file, an episode.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    rest = f", ... ({len(names)})" if len(names) > MOST_NAMES else ""
    shown = f"{', '.join(names[:MOST_NAMES])}{rest}"
    if where:
        return UserError(f"{where} has no {kind} {name!r}; {hint}it has {shown or 'none'}")
    return UserError(f"unknown {kind} {name!r}; {hint}known: {shown or 'none'}")
