"""Workers that are made in an instant, for tests of the pool."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from s2robot.errors import UserError


class Doubles:
    """Doubles numbers once `together` of these workers have begun; says which process did it.

    Odd numbers wait while a file `wait` is in the folder.
    """

    def __init__(self, folder: Path, together: int = 1) -> None:
        self._folder, self._together = folder, together

    def run(self, items: Sequence[int]) -> Iterator[tuple[Sequence[int], Any]]:
        (self._folder / f"begun.{os.getpid()}").touch()
        while len(list(self._folder.glob("begun.*"))) < self._together:
            time.sleep(0.02)
        for item in items:
            while item % 2 and (self._folder / "wait").exists():
                time.sleep(0.02)
            if item < 0:
                raise UserError(f"{item} is negative")
            yield [item], (2 * item, os.getpid())

    def close(self) -> None:
        (self._folder / f"closed.{os.getpid()}").touch()


class Unfit(Doubles):
    """Cannot be made anywhere."""

    def __init__(self) -> None:
        raise UserError("nowhere.hdf5 is not there")
