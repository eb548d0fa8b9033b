"""What the metadata state of an episode, whatever the version: the result of `v2` and of `v3`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2robot.datasets.hdf5_attributes import shown, whole_number
from s2robot.errors import UserError


@dataclass(frozen=True)
class Clip:
    """An episode's part of a camera's video."""

    file: Path
    start_s: float = 0.0  # from the file's first frame on
    end_s: float | None = None  # where the metadata say it; NaN for what is no number


@dataclass(frozen=True)
class Stated:
    """One episode as the metadata have it."""

    index: int
    length: int
    data: Path
    clips: Mapping[str, Clip] = field(default_factory=dict)
    tasks: Sequence[str] = ()
    unplaced: Mapping[str, str] = field(default_factory=dict)  # cameras without a clip, and why
    bounds: tuple[Any, Any] = (None, None)  # its first row in the whole set and the next one's, as stated

    def clip(self, camera: str) -> Clip:
        """Where a camera's frames are; raises `UserError` where the metadata do not say it."""
        if camera in self.unplaced:
            raise UserError(self.unplaced[camera])
        return self.clips[camera]

    @property
    def name(self) -> str:
        return episode_name(self.index)


def episode_name(index: int) -> str:
    """How an episode is called here; the format has numbers only."""
    return f"episode_{index:06d}"


def whole(row: Mapping[str, Any], key: str, where: str) -> int:
    """A count or an index of a table's row; nullable and float columns are cast when that loses nothing."""
    value = row.get(key)
    found = None if isinstance(value, str | bytes) else whole_number(value)
    if found is None:
        raise UserError(f"{where}: {key} is {shown(value)}; expected a whole number")
    if found < 0:
        raise UserError(f"{where}: {key} is {shown(value)}; expected zero or more")
    return found


def texts(value: Any) -> list[str]:
    """The task texts of an episode: a list, or a single one; none of anything else."""
    return [str(one) for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def tasks_of(rows: Sequence[Mapping[str, Any]], column: str, where: str) -> dict[int, str]:
    """Task texts by their index; raises `UserError` for one without a text, or with two."""
    tasks: dict[int, str] = {}
    for row in rows:
        index, text = whole(row, "task_index", where), row.get(column)
        if not isinstance(text, str):
            raise UserError(f"{where}: {column} of task_index {index} is {shown(text)}; expected a text")
        if tasks.setdefault(index, text) != text:
            both = f"{shown(tasks[index])} and {shown(text)}"
            raise UserError(
                f"{where}: task_index {index} has the texts {both}; expected one, number them anew"
            )
    return tasks


def in_order(episodes: Sequence[Stated], where: str) -> list[Stated]:
    """Episodes by their index; raises `UserError` for an index that is used twice, or when there are none."""
    if not episodes:
        raise UserError(f"{where} holds no episodes")
    twice = [index for index, count in Counter(e.index for e in episodes).items() if count > 1]
    if twice:
        raise UserError(f"{where}: episode_index {twice[0]} appears more than once; expected each once")
    return sorted(episodes, key=lambda episode: episode.index)
