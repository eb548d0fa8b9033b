"""One attempt of a disturbed expert: what is executed, and what is recorded.

Disturbed demonstrations ("DART: Noise Injection for Robust Imitation Learning", arXiv 1703.09327): what is
executed is the expert's action with noise and now and then a push off course, while `actions` keeps the
expert's own, correcting action.
"""

from typing import Any

import gymnasium
import numpy as np

import envs
from s2robot.collecting.collection import Collection, episode_seed
from s2robot.collecting.writer import Episode
from s2robot.rollouts.success import EpisodeSuccess

STEP_KEYS = ("actions", "actions_executed", "rewards", "dones")


def disturb(
    action: np.ndarray,
    push: np.ndarray,
    rng: np.random.Generator,
    noise: float,
    push_probability: float,
    limits: tuple[Any, Any] = (-1, 1),
) -> tuple[np.ndarray, np.ndarray]:
    """The action that is executed, and the push that goes on (zero when none does).

    An action begins with a translation (3) and a rotation (3), as far as it has so many numbers. A push adds
    a constant direction of random strength to the translation for a few steps; it fades with probability 1/3
    a step. What follows the rotation, such as the gripper, is left alone. `limits` bound what is executed.
    """
    if push.any():
        push = push if rng.random() > 1 / 3 else np.zeros(3)
    elif rng.random() < push_probability:
        push = rng.normal(size=3)
        push *= rng.uniform(0.3, 1.0) / np.linalg.norm(push)
    executed = action.copy()
    executed[:3] += push[: len(executed)]
    executed[:6] += (noise * rng.normal(size=6))[: len(executed)]
    return np.clip(executed, *limits).astype(np.float32), push


def run_attempt(collection: Collection, attempt: int, env: gymnasium.Env) -> Episode:
    """One episode of the disturbed expert; the collection's settings are resolved."""
    assert collection.noise is not None and collection.push_probability is not None
    seed = episode_seed(collection.seed, attempt)
    rng = np.random.default_rng(seed)
    expert = envs.make_expert(collection.env_id, seed=seed)
    obs, info = env.reset(seed=seed)
    seen: dict[str, list[np.ndarray]] = {key: [] for key in obs}
    steps: dict[str, list[Any]] = {key: [] for key in ("states", *STEP_KEYS)}
    scene: Any = env.unwrapped
    has_states, has_scene = hasattr(scene, "stored_state"), hasattr(scene, "model_xml")
    push, limits = np.zeros(3), (env.action_space.low, env.action_space.high)  # type: ignore[attr-defined]
    success, done = EpisodeSuccess(collection.env_id), False
    while not done:
        if has_states:
            steps["states"].append(scene.stored_state())
        action = np.asarray(expert(env), dtype=np.float32)
        executed, push = disturb(action, push, rng, collection.noise, collection.push_probability, limits)
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
