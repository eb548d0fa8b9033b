"""The episodes of an evaluation over the nodes of a cluster, each as on one machine, to the bit."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from s2robot import plugins
from s2robot.cluster.pool import Pool
from s2robot.errors import UserError
from s2robot.evaluation.playing import PlayedHere
from s2robot.files import replacing
from s2robot.rollouts.results import EpisodeResult
from s2robot.rollouts.sizes import default_workers
from s2robot.rollouts.trained import make_actor, set_acting, verified_encoders
from s2robot.runs import checkpoint
from s2robot.runs.checkpoint import Checkpoint
from s2robot.types import Actor

LEAST_EPISODES = 10  # of a piece, whose simulators are started anew


@dataclass(frozen=True)
class Recipe:
    """What a node needs to play: the checkpoint by its path, which all nodes must have."""

    path: Path
    sha256: str  # of the weights
    options: Any  # of `s2robot eval`
    env_id: str
    env_kwargs: Mapping[str, Any]
    batch: int
    rollouts: Mapping[str, Any]  # options of `iter_episodes`
    modules: Sequence[str]  # that were loaded by name


@dataclass
class Played:
    """An episode, and the files of its film, which may lie on another machine."""

    result: EpisodeResult
    decision_ms: float | None
    film: dict[str, bytes] = field(default_factory=dict)


class PlayedOverNodes:
    """A `Player` whose episodes are played by the nodes of a cluster.

    `connect` gives the module `ray`, connected to it; it is called when episodes are to be played.
    """

    def __init__(self, connect: Callable[[], Any], recipe: Recipe, device_type: str, video_dir: Path) -> None:
        self._connect, self._recipe, self._video_dir = connect, recipe, video_dir
        self._device = device_type
        self._decisions_ms: list[float] = []

    @property
    def decision_ms(self) -> float | None:
        return float(np.median(self._decisions_ms)) if self._decisions_ms else None

    def play(self, seeds: Sequence[int], record: int) -> Generator[EpisodeResult, None, None]:
        """See `Player`. Raises `UserError` where no node can play, and what `iter_episodes` raises."""
        if len(set(seeds)) != len(seeds):
            raise UserError("a seed is listed more than once; each episode needs its own")
        make = partial(EpisodeWorker, self._recipe, frozenset(seeds[:record]), self._device)
        return self._played(Pool(self._connect(), make, self._device == "cuda"), seeds)

    def _played(self, pool: Pool, seeds: Sequence[int]) -> Generator[EpisodeResult, None, None]:
        for played in pool.run(seeds, least=max(LEAST_EPISODES, 2 * self._recipe.batch)):
            if played.decision_ms is not None:
                self._decisions_ms.append(played.decision_ms)
            for name, content in played.film.items():
                self._video_dir.mkdir(parents=True, exist_ok=True)
                with replacing(self._video_dir / name) as scratch:
                    scratch.write_bytes(content)
            yield played.result


class EpisodeWorker:
    """Plays seeds on a node."""

    def __init__(self, recipe: Recipe, filmed: frozenset[int], device: str) -> None:
        plugins.load(recipe.modules)
        self._recipe, self._filmed = recipe, filmed
        loaded = checkpoint.load(recipe.path)
        if loaded.sha256 != recipe.sha256:
            raise UserError(f"{recipe.path} holds other weights there than on this machine")
        options = recipe.options
        set_acting(loaded.policy, options.policy, options.temporal_ensemble)
        self._actor = make_agent(loaded, options, torch.device(device), recipe.batch)

    def run(self, seeds: Sequence[int]) -> Iterator[tuple[Sequence[int], Played]]:
        """Play them; see `s2robot.cluster.node.Worker`."""
        recipe, ordered = self._recipe, sorted(seeds, key=lambda seed: seed not in self._filmed)
        options = dict(recipe.rollouts)
        options["workers"] = options.get("workers") or min(
            default_workers(recipe.batch), max(2 * recipe.batch, torch.get_num_threads() + 1)
        )
        with TemporaryDirectory(prefix="s2robot-films-") as scratch:
            films = Path(scratch) / "videos"
            here = PlayedHere(
                self._actor, recipe.env_id, recipe.env_kwargs, films, batch=recipe.batch, **options
            )
            for result in here.play(ordered, len(self._filmed.intersection(seeds))):
                film = {file.name: file.read_bytes() for file in films.glob(f"seed_{result.seed}.*")}
                yield [result.seed], Played(result, here.decision_ms, film)

    def close(self) -> None:
        """Nothing is held between two pieces."""


def make_agent(loaded: Checkpoint, options: Any, device: torch.device, batch: int) -> Actor:
    """A checkpoint's policy with its encoders, which are checked; `options` are those of `s2robot eval`."""
    encoders = verified_encoders(loaded, device, options.backend, options.weights, options.max_tiles)
    return make_actor(loaded.policy, encoders, device, options.temporal_ensemble, batch)
