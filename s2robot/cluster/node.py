"""What runs on a node of the cluster: an actor that holds a worker and hands out its results as they come."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import s2robot
from s2robot.errors import UserError


class Worker(Protocol):
    """Does pieces of a work; made anew on every node."""

    def run(self, items: Sequence[Any]) -> Iterator[tuple[Sequence[Any], Any]]:
        """Do these items: each result with the items that are done with it."""

    def close(self) -> None:
        """Called when no more will come."""


@dataclass(frozen=True)
class Facts:
    """What a node says about itself once its worker is made."""

    sources: str
    clock_s: float


class Host:
    """The actor. Its calls are answered one by one; a thread of its own does the work."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._said: queue.Queue[tuple[str, Any]] = queue.Queue()

    def start(self, make: Callable[[], Worker], sources: str) -> Facts:
        """Make the worker. Raises `UserError` where this node has other sources than `sources`."""
        if (own := sources_sha256()) != sources:
            raise UserError(
                f"its s2robot ({s2robot.__version__}, sources {own[:8]}) is not that of this machine "
                f"({sources[:8]}): install the same version there"
            )
        self._worker = make()
        return Facts(own, time.time())

    def give(self, items: Sequence[Any]) -> None:
        """Begin with these items."""
        threading.Thread(target=self._work, args=(items,), daemon=True).start()

    def take(self) -> list[tuple[str, Any]]:
        """Wait for results: ("done", (items, result)), then ("end", None) or ("failed", error)."""
        found = [self._said.get()]
        while not self._said.empty():
            found.append(self._said.get())
        return found

    def close(self) -> None:
        """Let the worker end what it holds."""
        if self._worker is not None:
            self._worker.close()

    def _work(self, items: Sequence[Any]) -> None:
        assert self._worker is not None
        try:
            for done in self._worker.run(items):
                self._said.put(("done", done))
            self._said.put(("end", None))
        except UserError as error:  # as text: what a subclass holds need not travel
            self._said.put(("failed", UserError(str(error))))
        except Exception as error:  # told to whoever waits for this piece, and raised there
            self._said.put(("failed", error))


def sources_sha256() -> str:
    """The hash of this package's sources, the same wherever the same version is installed."""
    from hashlib import sha256

    digest, folder = sha256(), Path(s2robot.__path__[0])
    for file in sorted(folder.rglob("*.py")):
        digest.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return digest.hexdigest()
