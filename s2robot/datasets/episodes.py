"""The episodes of one or several sources as those of one dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s2robot.datasets.source import Source, SourceEpisode
from s2robot.errors import UserError, unknown_name


@dataclass(frozen=True)
class Episode:
    """One episode of the dataset and where it is recorded."""

    name: str  # unique in the dataset
    source: Source
    number: int  # in the source
    part: int  # which of several sources
    recorded: SourceEpisode


def episodes_of(sources: Sequence[Source]) -> list[Episode]:
    """The episodes of all sources; of several, each name begins with that of its source."""
    prefixes = [""] * len(sources) if len(sources) == 1 else _prefixes([source.path for source in sources])
    return [
        Episode(f"{prefix}{recorded.name}", source, number, part, recorded)
        for part, (source, prefix) in enumerate(zip(sources, prefixes, strict=True))
        for number, recorded in enumerate(source.episodes)
    ]


def _prefixes(paths: Sequence[Path]) -> list[str]:
    """`<file stem>/` of each source, with as many folders before it as tell them apart.

    Whole names where only what looks like an ending does: the folders pick.v1 and pick.v2.
    """
    for shown in ([path.with_suffix("") for path in paths], paths):
        for depth in range(1, max(len(path.parts) for path in paths) + 1):
            names = [Path(*path.parts[-depth:]).as_posix() for path in shown]
            if len(set(names)) == len(paths):
                return [f"{name}/" for name in names]
    raise UserError(f"{paths[0]} is given twice")


def of_task(episodes: list[Episode], task: str | None, tasks: Sequence[str]) -> list[Episode]:
    """The episodes of a task text; all for None."""
    if task is None:
        return episodes
    chosen = [one for one in episodes if task in one.recorded.tasks]
    if not chosen:
        raise unknown_name("data.task", task, tasks)
    return chosen
