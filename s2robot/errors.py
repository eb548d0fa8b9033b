"""What a user did wrong, told in one line: what, where, and what would be right."""

import difflib
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class UserError(ValueError):
    """Bad input. The entry points print its text as one line and exit with status 2."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not in a registry: the nearest name, then all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UserError(f"unknown {kind} {name!r}; {hint}known: {', '.join(names)}")


class Registry(dict[str, T], Generic[T]):
    """A dictionary in which a duplicate name raises and an unknown name lists the choices."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def __setitem__(self, name: str, member: T) -> None:
        if name in self:
            raise UserError(f"{self.kind} {name!r} is registered twice")
        super().__setitem__(name, member)

    def __missing__(self, name: str) -> T:
        raise unknown_name(self.kind, name, self)
