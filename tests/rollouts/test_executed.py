"""An actor is given what the environment executed: within the action space, and of an ensemble the mean."""

from typing import Any

import numpy as np
import pytest

from s2robot.rollouts.ensembling import TemporalEnsemble
from s2robot.rollouts.episodes import run_episodes
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import TINY


class Noting(TinyActor):
    """Predicts actions beyond the action space, and keeps what it is told was executed of them."""

    def __init__(self, obs_steps: int = 2, action_steps: int = 3) -> None:
        super().__init__(obs_steps, action_steps)
        self.predicted: list[np.ndarray] = []
        self.told: list[np.ndarray] = []

    def act(self, obs: Any, states: Any, generators: Any) -> tuple[np.ndarray, list[Any]]:
        chunks, after = super().act(obs, states, generators)
        self.predicted.append(3 * chunks[0])
        return 3 * chunks, after

    def executed(self, state: int, actions: np.ndarray) -> int:
        assert state == len(self.predicted)  # of this episode: what `act` returned last
        self.told.append(actions)
        return state


def test_actions_are_told_as_they_were_executed() -> None:
    actor = Noting()
    run_episodes(actor, TINY, [3], workers=1)
    chunks = [chunk[:3] for chunk in actor.predicted]
    assert max(np.abs(chunk).max() for chunk in chunks) > 1
    assert len(actor.told) == len(chunks) - 1  # after the last one the episode was over
    for told, chunk in zip(actor.told, chunks, strict=False):
        np.testing.assert_array_equal(told, np.clip(chunk, -1, 1))


def test_of_an_ensemble_the_mean_is_told() -> None:
    actor = Noting(obs_steps=1, action_steps=1)
    run_episodes(TemporalEnsemble(actor, 0.0), TINY, [3], workers=1)
    for now, told in enumerate(actor.told):
        about_now = [
            chunk[now - asked] for asked, chunk in enumerate(actor.predicted) if 0 <= now - asked < 5
        ]
        mean = np.mean(about_now, axis=0)
        np.testing.assert_allclose(told, np.clip(mean, -1, 1)[None], atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3])
def test_actors_that_take_no_notice_need_no_method(batch: int) -> None:
    assert len(run_episodes(TinyActor(), TINY, [3, 1], workers=2, batch=batch)) == 2
