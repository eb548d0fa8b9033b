"""Replacing what a folder holds: the old is kept aside until there is something new, and a kill loses
nothing.

    begin     old names are moved to `.replacing/`, which then becomes `.replaced/`
    finish    `.replaced/` is deleted: the new has something worth keeping
    undo      the new names are deleted, `.replaced/` becomes `.replacing/`, and its content is moved back

So whatever lies beside `.replacing/` is old, whatever lies beside `.replaced/` is new, and `settle` brings
a folder into order after a kill at any moment. All of it is done under the folder's lock
(`s2robot.runs.lock`).
"""

import shutil
from collections.abc import Callable, Collection
from pathlib import Path

ASIDE, MOVING = ".replaced", ".replacing"


class Replacement:
    """The things of these names in a folder; `has_new` says whether the new ones are worth keeping."""

    def __init__(self, folder: Path, names: Collection[str], has_new: Callable[[], bool]) -> None:
        self.folder, self.names, self.has_new = folder, names, has_new
        self._aside, self._moving = folder / ASIDE, folder / MOVING

    @property
    def pending(self) -> bool:
        """Whether something old is kept aside."""
        return self._aside.exists() or self._moving.exists()

    def begin(self) -> None:
        """Move the old aside."""
        self._moving.mkdir()
        for name in self.names:
            if (self.folder / name).exists() or (self.folder / name).is_symlink():
                (self.folder / name).rename(self._moving / name)
        self._moving.rename(self._aside)

    def settle(self) -> bool:
        """Delete what was kept aside if there is something new, else put it back and return True."""
        if not self.pending:
            return False
        if self._aside.exists() and self.has_new():
            self.finish()
            return False
        self._undo()
        return True

    def finish(self) -> None:
        """Delete what was kept aside, if there is anything."""
        if self._aside.exists():
            shutil.rmtree(self._aside)

    def _undo(self) -> None:
        if self._aside.exists():
            for name in self.names:
                remove(self.folder / name)
            self._aside.rename(self._moving)
        for old in self._moving.iterdir():
            old.rename(self.folder / old.name)
        self._moving.rmdir()


def remove(path: Path) -> None:
    """Delete a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
