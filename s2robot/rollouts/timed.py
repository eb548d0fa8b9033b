"""How long a policy takes to decide."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from s2robot.rollouts.executed import after_executing
from s2robot.types import Actor


class TimedActor:
    """An `Actor` that measures another one."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.obs_keys, self.obs_steps, self.action_steps = actor.obs_keys, actor.obs_steps, actor.action_steps
        self._seconds, self._rows = list[float](), 1

    def act(
        self, obs: Mapping[str, np.ndarray], states: Sequence[Any], generators: Sequence[torch.Generator]
    ) -> tuple[Float[np.ndarray, "b ta da"], list[Any]]:
        """What the actor decides; see `Actor`."""
        started = time.perf_counter()
        decided = self.actor.act(obs, states, generators)
        self._seconds.append(time.perf_counter() - started)
        self._rows = len(states)
        return decided

    def executed(self, state: Any, actions: Float[np.ndarray, "k da"]) -> Any:
        """The actor's state of an episode; see `Actor`."""
        return after_executing(self.actor, state, actions)

    def look(self, row: int) -> Any:
        """What the actor looked at, see `Actor`; it must be one that says so."""
        return self.actor.look(row)  # type: ignore[attr-defined]

    @property
    def decision_ms(self) -> float | None:
        """Median time of a decision for one episode (a call's, divided by its rows); None before the first.

        Encoding is included, and so is waiting for the cores that simulators use at the same time.
        """
        return 1e3 * float(np.median(self._seconds)) / self._rows if self._seconds else None
