"""One attempt of a disturbed expert: what is executed, and what is recorded.

`actions` keeps the expert's own action, which corrects what its disturbance did.
"""

from typing import Any

import gymnasium
import numpy as np

import envs
from s2robot.collecting.collection import Collection, episode_seed
from s2robot.collecting.disturbance import Disturbance
from s2robot.collecting.writer import Episode
from s2robot.rollouts.success import EpisodeSuccess

STEP_KEYS = ("actions", "actions_executed", "rewards", "dones")


def run_attempt(collection: Collection, attempt: int, env: gymnasium.Env) -> Episode:
    """One episode of the disturbed expert; the collection's settings are resolved."""
    seed = episode_seed(collection.seed, attempt)
    rng = np.random.default_rng(seed)
    expert = envs.make_expert(collection.env_id, seed=seed)
    obs, info = env.reset(seed=seed)
    seen: dict[str, list[np.ndarray]] = {key: [] for key in obs}
    steps: dict[str, list[Any]] = {key: [] for key in ("states", *STEP_KEYS)}
    scene: Any = env.unwrapped
    has_states, has_scene = hasattr(scene, "stored_state"), hasattr(scene, "model_xml")
    space: Any = env.action_space
    disturb = Disturbance.of(collection, (space.low, space.high))
    success, done = EpisodeSuccess(collection.env_id), False
    while not done:
        if has_states:
            steps["states"].append(scene.stored_state())
        action = np.asarray(expert(env), dtype=np.float32)
        executed = disturb(action, rng)
        for key, value in obs.items():
            seen[key].append(value)
        obs, reward, terminated, truncated, info = env.step(executed)
        done = terminated or truncated
        success.note(info)
        for key, value in zip(STEP_KEYS, (action, executed, reward, int(done)), strict=True):
            steps[key].append(value)
    return Episode(
        seed=seed,
        success=success.result(),
        model_xml=scene.model_xml() if has_scene else None,
        arrays={key: np.asarray(values) for key, values in steps.items() if values},
        obs={key: np.stack(values) for key, values in seen.items()},
    )
