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
    """The episodes of all sources; of several, each name begins with that of its source.

    Raises `UserError` for two of one name, and for a source that is given twice.
    """
    prefixes = [""] * len(sources) if len(sources) == 1 else _prefixes([source.path for source in sources])
    found = [
        Episode(f"{prefix}{recorded.name}", source, number, part, recorded)
        for part, (source, prefix) in enumerate(zip(sources, prefixes, strict=True))
        for number, recorded in enumerate(source.episodes)
    ]
    named: dict[str, Episode] = {}
    for one in found:
        if (first := named.setdefault(one.name, one)) is not one:
            raise UserError(
                f"{first.recorded.file} and {one.recorded.file} both hold an episode {one.name!r}: "
                f"rename one, or move it away"
            )
    return found


def _prefixes(paths: Sequence[Path]) -> list[str]:
    """`<file stem>/` of each source, with as many folders before it as tell them apart.

    Whole names where only what looks like an ending does: the folders pick.v1 and pick.v2.
    """
    known: dict[Path, Path] = {}
    for path in paths:
        if (first := known.setdefault(path.resolve(), path)) is not path:
            raise UserError(f"{path} is given twice" + (f", also as {first}" if first != path else ""))
    for shown in ([path.with_suffix("") for path in paths], paths):
        for depth in range(1, max(len(path.parts) for path in paths) + 1):
            names = [Path(*path.parts[-depth:]).as_posix() for path in shown]
            if len(set(names)) == len(paths):
                return [f"{name}/" for name in names]
    raise AssertionError(f"{paths} are different, and have the same parts")


def of_task(episodes: list[Episode], task: str | None, tasks: Sequence[str]) -> list[Episode]:
    """The episodes of a task text; all for None."""
    if task is None:
        return episodes
    chosen = [one for one in episodes if task in one.recorded.tasks]
    if not chosen:
        raise unknown_name("data.task", task, tasks)
    return chosen
