"""Who plays the episodes of an evaluation: this machine, or a `Player` that has others do it."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from s2robot.rollouts.episodes import iter_episodes
from s2robot.rollouts.results import EpisodeResult
from s2robot.rollouts.timed import TimedActor
from s2robot.types import Actor


@runtime_checkable
class Player(Protocol):
    """Plays episodes; what an episode does depends on its seed alone, wherever it is played."""

    @property
    def decision_ms(self) -> float | None:
        """Median time of a decision for one episode; None before the first."""

    def play(self, seeds: Sequence[int], record: int) -> Generator[EpisodeResult, None, None]:
        """The episodes of these seeds as they finish; the first `record` are filmed."""


class PlayedHere:
    """Episodes of an actor in this process, see `s2robot.rollouts.episodes.iter_episodes`."""

    def __init__(
        self,
        actor: Actor,
        env_id: str,
        env_kwargs: Mapping[str, Any] | None,
        video_dir: Path,
        **options: Any,
    ) -> None:
        self._actor, self._where = TimedActor(actor), (env_id, env_kwargs)
        self._options = {"video_dir": video_dir, **options}

    @property
    def decision_ms(self) -> float | None:
        return self._actor.decision_ms

    def play(self, seeds: Sequence[int], record: int) -> Generator[EpisodeResult, None, None]:
        env_id, env_kwargs = self._where
        return iter_episodes(self._actor, env_id, seeds, env_kwargs, record=record, **self._options)
