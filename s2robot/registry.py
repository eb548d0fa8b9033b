"""Named choices: encoders, policies, heads, dataset formats. A member is imported when it is first used."""

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from s2robot.errors import UserError, unknown_name

T = TypeVar("T")


@dataclass(frozen=True)
class Lazy:
    """A member by its path, `package.module:attribute`: names can be listed without importing PyTorch."""

    path: str

    def load(self) -> Any:
        """Import the module and return the attribute."""
        module, _, attribute = self.path.partition(":")
        return getattr(import_module(module), attribute)


def lazy_attributes(module: str, **paths: str) -> Callable[[str], Any]:
    """A module's `__getattr__` (PEP 562): names that are imported when they are first used, by their paths.

    `__getattr__ = lazy_attributes(__name__, Policy="s2robot.policies.base:Policy")`
    """

    def attribute(name: str) -> Any:
        if name not in paths:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return Lazy(paths[name]).load()

    return attribute


class Registry(MutableMapping[str, T], Generic[T]):
    """A mapping in which a duplicate name raises and an unknown name lists the choices.

    `registry[name] = member` registers; a `Lazy` member is replaced by what it names on first look-up.
    """

    def __init__(self, kind: str) -> None:
        """`kind` is what messages call a member."""
        self.kind = kind
        self._members: dict[str, T | Lazy] = {}

    def __setitem__(self, name: str, member: T | Lazy) -> None:
        if name in self._members:
            raise UserError(f"{self.kind} {name!r} is registered twice")
        self._members[name] = member

    def __getitem__(self, name: str) -> T:
        if name not in self._members:
            return self.missing(name)
        member = self._members[name]
        if isinstance(member, Lazy):
            member = self._members[name] = member.load()
        return member

    def missing(self, name: str) -> T:
        """What an unregistered name stands for; raises `UserError` unless a subclass knows."""
        raise UserError(f"{unknown_name(self.kind, name, self)}; plugins=[module] registers a plugin's")

    def __delitem__(self, name: str) -> None:
        del self._members[name]

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)
