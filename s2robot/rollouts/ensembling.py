"""ACT's temporal ensembling: decide after every step, execute the average of all predictions for this step.

    decided at  t-2   a  a  a  a
                t-1      a  a  a  a
                t           a  a  a  a
    executed at t           x            the mean of three, the older the heavier (by exp(-m) a step)

"Learning Fine-Grained Bimanual Manipulation with Low-Cost Hardware", arXiv 2304.13705, section IV-B.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from s2robot.errors import UserError
from s2robot.rollouts.executed import after_executing
from s2robot.types import Actor

LEAST, MOST = -1.0, 100.0  # of m: exp(-m i) is no number in a long chunk for what is far below 0


def check_ensembling(m: float, action_steps: int) -> None:
    """Raise `UserError` unless `m` is a number within bounds and one action of each chunk is executed."""
    if isinstance(m, bool) or not isinstance(m, int | float | np.number) or not LEAST <= m <= MOST:
        told = f"{str(m)[:40]!r}" if isinstance(m, str) else str(m)[:40]
        bounds = f"a finite number from {LEAST:g} to {MOST:g}, such as 0.01"
        raise UserError(f"temporal_ensemble={told} must be {bounds}")
    if action_steps != 1:
        raise UserError(f"temporal ensembling needs action_steps=1, not {action_steps}")


class TemporalEnsemble:
    """An `Actor` that averages the chunks of another one.

    `m` is the paper's: the weight of the i-th oldest prediction is exp(-m i), so 0 is the plain mean and a
    larger one trusts the older predictions more. Earlier predictions are kept in the episode's state.
    Raises `UserError` as `check_ensembling` does.
    """

    def __init__(self, actor: Actor, m: float) -> None:
        check_ensembling(m, actor.action_steps)
        self.actor, self.m = actor, m
        self.obs_keys, self.obs_steps, self.action_steps = actor.obs_keys, actor.obs_steps, 1

    def act(
        self,
        obs: Mapping[str, np.ndarray],
        states: Sequence[Any],
        generators: Sequence[torch.Generator],
    ) -> tuple[Float[np.ndarray, "b 1 da"], list[Any]]:
        """One action for each episode; see `Actor`."""
        # An episode's state: the actor's own, and what is left of earlier chunks, the oldest first.
        before: list[tuple[Any, list[np.ndarray]]] = [state or (None, []) for state in states]
        chunks, inner = self.actor.act(obs, [state for state, _ in before], generators)
        predicted = [[*earlier, chunk] for (_, earlier), chunk in zip(before, chunks, strict=True)]
        actions = np.stack([self._average(row) for row in predicted])
        left = [[chunk[1:] for chunk in row if len(chunk) > 1] for row in predicted]
        return actions[:, None], list(zip(inner, left, strict=True))

    def executed(self, state: Any, actions: Float[np.ndarray, "k da"]) -> Any:
        """An episode's state when this average was executed; see `Actor`."""
        inner, left = state
        return after_executing(self.actor, inner, actions), left

    def look(self, row: int) -> Any:
        """What the actor looked at, see `Actor`; it must be one that says so."""
        return self.actor.look(row)  # type: ignore[attr-defined]

    def _average(self, predicted: Sequence[Float[np.ndarray, "_ da"]]) -> Float[np.ndarray, "da"]:
        weights = np.exp(-self.m * np.arange(len(predicted)))
        now = np.stack([chunk[0] for chunk in predicted])  # n da
        return (weights / weights.sum() @ now).astype(now.dtype)
