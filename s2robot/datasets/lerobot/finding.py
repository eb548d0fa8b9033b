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


class LeRobotFormat:
    """A member of `FORMATS`."""

    def found(self, path: Path) -> Sequence[Path]:
        """The folder itself if it is a LeRobot dataset, else those directly below it that are."""
        if (path / INFO).exists():
            return [path]
        if not path.is_dir():
            return []
        return sorted((info.parents[1] for info in path.glob(f"*/{INFO}")), key=lambda one: natural(str(one)))

    def __call__(self, path: Path, options: DataConfig) -> "LeRobot":
        """Open a folder. Raises `UserError` in one line."""
        from s2robot.datasets.lerobot.source import LeRobot

        if path.is_file():
            raise UserError(f"{path} is a file; a LeRobot dataset is a folder with {INFO}")
        return LeRobot(path, options)


LEROBOT = LeRobotFormat()
