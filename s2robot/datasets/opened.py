"""Files that stay open because the next read probably continues there; the least recently used is closed."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar, runtime_checkable


@runtime_checkable
class Closable(Protocol):
    def close(self) -> None: ...


T = TypeVar("T", bound=Closable)


class Opened(Generic[T]):
    """At most `limit` open files by a key."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._files: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, open_: Callable[[], T]) -> T:
        """The file under this key, opened if it is not open."""
        if key not in self._files:
            while len(self._files) >= self._limit:
                self._files.popitem(last=False)[1].close()
            self._files[key] = open_()
        self._files.move_to_end(key)
        return self._files[key]

    def drop(self, key: Hashable) -> None:
        """Close the file under this key; after an error it must not go on where it stands."""
        if key in self._files:
            self._files.pop(key).close()

    def close(self) -> None:
        while self._files:
            self._files.popitem()[1].close()
