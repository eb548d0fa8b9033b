"""Temporal ensembling against the table of the paper's own evaluation loop, and what is refused."""

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from s2robot.errors import UserError
from s2robot.rollouts.ensembling import TemporalEnsemble
from s2robot.rollouts.episodes import run_episodes
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import TINY

SEEDS = [3, 1, 4, 15]
LONGEST, CHUNK = 20, 5


def numbers(results: Any) -> list[tuple[int, bool, int, float]]:
    return [(r.seed, r.success, r.steps, r.return_) for r in results]


def play_with_a_table(seed: int, m: float) -> Any:
    """One episode as the reference does it: every chunk in a table (asked at, is about), columns averaged."""
    actor, env = TinyActor(obs_steps=1, action_steps=1), gymnasium.make(TINY)
    obs, _ = env.reset(seed=seed)
    generator, state, total, done = torch.Generator().manual_seed(seed), None, 0.0, False
    table = np.full((LONGEST, LONGEST + CHUNK, 2), np.nan)
    t = 0
    while not done:
        batch = {key: obs[key][None, None] for key in actor.obs_keys}
        chunk, (state,) = actor.act(batch, [state], [generator])
        table[t, t : t + CHUNK] = chunk[0]
        told = table[:, t][~np.isnan(table[:, t, 0])]
        weights = np.exp(-m * np.arange(len(told)))
        action = (told * (weights / weights.sum())[:, None]).sum(axis=0)
        obs, reward, terminated, truncated, info = env.step(np.clip(action, -1, 1).astype(np.float32))
        total, t, done = total + float(reward), t + 1, terminated or truncated
    return seed, info["success"], t, total


@pytest.mark.parametrize("m", [0.0, 0.01, 1.0])
def test_equals_the_table_of_the_paper(m: float) -> None:
    results = run_episodes(TemporalEnsemble(TinyActor(1, 1), m), TINY, SEEDS, workers=2)

    for got, expected in zip(numbers(results), [play_with_a_table(seed, m) for seed in SEEDS], strict=True):
        assert got[:3] == expected[:3]
        assert got[3] == pytest.approx(expected[3], abs=1e-5)


def test_averaging_changes_what_is_done() -> None:
    plain = run_episodes(TinyActor(1, 1), TINY, SEEDS, workers=1)
    assert numbers(run_episodes(TemporalEnsemble(TinyActor(1, 1), 0.01), TINY, SEEDS, workers=1)) != numbers(
        plain
    )


@pytest.mark.parametrize("batch", [1, 3])
def test_numbers_do_not_depend_on_workers(batch: Any) -> None:
    one, *others = (
        numbers(run_episodes(TemporalEnsemble(TinyActor(2, 1), 0.1), TINY, SEEDS, workers=n, batch=batch))
        for n in (1, 2, 3)
    )
    assert others == [one, one]


def test_the_actors_own_state_travels_along() -> None:
    actor = TinyActor(1, 1)

    run_episodes(TemporalEnsemble(actor, 0.01), TINY, [0], workers=1)

    assert actor.states == [[None], *([call] for call in range(1, len(actor.states)))]


def test_what_cannot_be_ensembled_is_refused() -> None:
    with pytest.raises(UserError, match="action_steps=1, not 3"):
        TemporalEnsemble(TinyActor(action_steps=3), 0.01)
    with pytest.raises(UserError, match="finite"):
        TemporalEnsemble(TinyActor(action_steps=1), float("nan"))
