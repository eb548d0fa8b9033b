"""A source with some of its episodes, under their own or other names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from s2robot.datasets.problem import Problem
from s2robot.datasets.source import Source, SourceEpisode


class View:
    """Some episodes of a source; a `Source` itself. Closing it closes the source."""

    def __init__(
        self, source: Source, names: Mapping[int, str], masks: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """`names`: name of each chosen episode by its number in the source, in the order wanted.

        `masks` hold the new names; those of the source, without the episodes that are left out, if None.
        """
        self.source = source
        self.numbers = list(names)  # in the source
        self.episodes: Sequence[SourceEpisode] = [
            replace(source.episodes[i], name=name) for i, name in names.items()
        ]
        self.format, self.version, self.path = source.format, source.version, source.path
        self.fps, self.env_args, self.env_problem = source.fps, source.env_args, source.env_problem
        self.observations, self.actions = source.observations, source.actions
        self.executed_actions, self.upright, self.info = source.executed_actions, source.upright, source.info
        self.warnings: Sequence[Problem] = source.warnings
        self.errors: Sequence[Problem] = source.errors
        self.masks: Mapping[str, Sequence[str]] = self._kept_masks(names) if masks is None else masks

    def read(self, episode: int, key: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """See `Source`."""
        return self.source.read(self.numbers[episode], key, start, stop)

    def identity(self, episode: int, key: str) -> str:
        """See `Source`."""
        return self.source.identity(self.numbers[episode], key)

    def close(self) -> None:
        self.source.close()

    def _kept_masks(self, names: Mapping[int, str]) -> dict[str, list[str]]:
        new = {self.source.episodes[i].name: name for i, name in names.items()}
        masks = self.source.masks.items()
        return {key: [new[name] for name in members if name in new] for key, members in masks}


def numbers_of(source: Source) -> dict[str, int]:
    """Number of each episode by its name."""
    return {episode.name: i for i, episode in enumerate(source.episodes)}
