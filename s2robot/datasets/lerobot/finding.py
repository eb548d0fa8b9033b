"""Which folders are LeRobot datasets. What reads them (pyarrow, PyAV) is imported with the first of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from s2robot.datasets.lerobot.info import INFO
from s2robot.datasets.natural import natural
from s2robot.datasets.options import DataConfig
from s2robot.errors import UserError

if TYPE_CHECKING:
    from s2robot.datasets.lerobot.source import LeRobot

INFO_PARTS = tuple(INFO.split("/"))
SIGNS = ("meta/episodes*", "meta/tasks.*", "data/chunk-*")  # of a dataset whose download is not complete


class LeRobotFormat:
    """A member of `FORMATS`."""

    def found(self, path: Path) -> Sequence[Path]:
        """The folder itself if it is a LeRobot dataset, else those directly below it that are.

        Also what is meant to be one, so that opening it can say what is wrong: a folder that lacks its
        `meta/info.json`, and the path of that file.
        """
        if (path / INFO).exists() or path.parts[-2:] == INFO_PARTS:
            return [path]
        if not path.is_dir():
            return []
        below = sorted(
            (info.parents[1] for info in path.glob(f"*/{INFO}")), key=lambda one: natural(str(one))
        )
        return below or ([path] if any(next(path.glob(sign), None) for sign in SIGNS) else [])

    def __call__(self, path: Path, options: DataConfig) -> "LeRobot":
        """Open a folder. Raises `UserError` in one line."""
        from s2robot.datasets.lerobot.source import LeRobot

        if path.is_file():
            meant = f": give {path.parents[1]}" if path.parts[-2:] == INFO_PARTS else ""
            raise UserError(f"{path} is a file; a LeRobot dataset is a folder with {INFO}{meant}")
        return LeRobot(path, options)


LEROBOT = LeRobotFormat()
