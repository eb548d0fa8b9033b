"""Demonstrations of a scripted expert, written in robomimic's format by parallel processes.

Attempt k of a collection with seed s resets the environment with `episode_seed(s, k)` and draws its
disturbances from the same number, so an attempt is the same whoever runs it. Each is written to a file
of its own in `<out>.parts/`; when there are enough, the first ones in order of k are copied into one
file. A killed collection therefore goes on where it stopped and ends with the same content.

Disturbed demonstrations ("DART: Noise Injection for Robust Imitation Learning", arXiv 1703.09327): what
is executed is the expert's action with noise and now and then a push off course, while `actions`
keeps the expert's own, correcting action.
"""

import itertools
import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np

import envs
from envs.robosuite import RobosuiteEnv, to_env_args
from s2robot.collecting.writer import Episode, assemble, claim_parts, is_kept, must_match, write_part
from s2robot.errors import UserError, unknown_name
from s2robot.progress import progress

SEEDS_PER_COLLECTION = 1_000_000  # so that collections with other seeds share no episode
HOPELESS_AFTER = 50  # attempts without a single success
ROBOSUITE_SETTINGS = ("reward_type", "shadows", "samples", "env_kwargs")
STEP_KEYS = ("states", "actions", "actions_executed", "rewards", "dones")


@dataclass(frozen=True)
class Collection:
    """Everything that decides what is in the file."""

    env_id: str
    episodes: int
    seed: int = 0
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    noise: float | None = None  # standard deviation on each motion component of the action; None: the task's
    push_probability: float | None = None  # that a push begins, each step; None: the task's
    keep_failures: bool = False


def episode_seed(collection_seed: int, attempt: int) -> int:
    """Reset seed of one attempt; unique over collections and attempts."""
    if attempt >= SEEDS_PER_COLLECTION:
        raise UserError(f"more than {SEEDS_PER_COLLECTION} attempts in one collection; split it over seeds")
    return collection_seed * SEEDS_PER_COLLECTION + attempt


def collect(collection: Collection, out: Path, workers: int | None = None) -> bool:
    """Write the demonstrations to `out`; returns False when they were there already.

    Raises `UserError` when `out` (or what a killed run left) belongs to another collection, or when the
    expert never succeeds.
    """
    collection = resolve(collection)
    settings = json.dumps(asdict(collection), sort_keys=True)
    if out.exists():
        must_match(_settings_of(out), settings, out)
        return False
    parts = claim_parts(out, settings)
    done = {int(part.stem): is_kept(part) for part in sorted(parts.glob("*.hdf5"))}
    attempts = _run_attempts(collection, parts, done, workers or os.cpu_count() or 1)
    for _ in progress(attempts, collection.episodes, f"collect {collection.env_id}"):
        pass
    chosen = _first_kept(done, collection.episodes)
    assert chosen is not None
    env_args = to_env_args(collection.env_id, collection.env_kwargs)
    assemble([_part(parts, k) for k in chosen], out, env_args, {"collection": settings})
    shutil.rmtree(parts)
    return True


def resolve(collection: Collection) -> Collection:
    """The collection with every setting named, as environment and task themselves tell them.

    Raises `UserError` for settings that cannot be carried out.
    """
    if collection.env_id not in envs.KNOWN:
        raise unknown_name("environment", collection.env_id, envs.KNOWN)
    if collection.episodes < 1:
        raise UserError(f"--episodes {collection.episodes}: at least one demonstration is wanted")
    if collection.seed < 0:
        raise UserError(f"--seed {collection.seed}: seeds start at 0")
    try:
        envs.make_expert(collection.env_id)
        env = gymnasium.make(collection.env_id, **collection.env_kwargs)
    except (ValueError, TypeError) as error:
        raise UserError(f"{collection.env_id}: {error}") from error
    scene: Any = env.unwrapped
    env.close()
    env_kwargs = {
        **collection.env_kwargs,
        "image_size": list(scene.image_size),
        "cameras": list(scene.camera_names),
        "control_freq": scene.metadata["render_fps"],
    }
    if isinstance(scene, RobosuiteEnv):
        env_kwargs |= {name: getattr(scene, name) for name in ROBOSUITE_SETTINGS}
    task = envs.KNOWN[collection.env_id]
    noise = task.noise if collection.noise is None else collection.noise
    pushes = task.push_probability if collection.push_probability is None else collection.push_probability
    return replace(collection, env_kwargs=env_kwargs, noise=noise, push_probability=pushes)


def disturb(
    action: np.ndarray, push: np.ndarray, rng: np.random.Generator, noise: float, push_probability: float
) -> tuple[np.ndarray, np.ndarray]:
    """The action that is executed, and the push that goes on (zero when none does).

    A push adds a constant direction of random strength to the translation for a few steps; it fades
    with probability 1/3 a step. The gripper is left alone.
    """
    if push.any():
        push = push if rng.random() > 1 / 3 else np.zeros(3)
    elif rng.random() < push_probability:
        push = rng.normal(size=3)
        push *= rng.uniform(0.3, 1.0) / np.linalg.norm(push)
    executed = action.copy()
    executed[:3] += push
    executed[:6] += noise * rng.normal(size=6)
    return np.clip(executed, -1, 1).astype(np.float32), push


def run_attempt(collection: Collection, attempt: int, env: gymnasium.Env) -> Episode:
    """One episode of the disturbed expert; the collection's settings are resolved."""
    assert collection.noise is not None and collection.push_probability is not None
    seed = episode_seed(collection.seed, attempt)
    rng = np.random.default_rng(seed)
    expert = envs.make_expert(collection.env_id, seed=seed)
    obs, info = env.reset(seed=seed)
    seen: dict[str, list[np.ndarray]] = {key: [] for key in obs}
    steps: dict[str, list[Any]] = {key: [] for key in STEP_KEYS}
    push = np.zeros(3)
    success = done = False
    while not done:
        state = env.unwrapped.stored_state()  # type: ignore[attr-defined]
        action = np.asarray(expert(env), dtype=np.float32)
        executed, push = disturb(action, push, rng, collection.noise, collection.push_probability)
        for key, value in obs.items():
            seen[key].append(value)
        obs, reward, terminated, truncated, info = env.step(executed)
        done = terminated or truncated
        success = success or bool(info["success"])
        for key, value in zip(STEP_KEYS, (state, action, executed, reward, int(done)), strict=True):
            steps[key].append(value)
    return Episode(
        seed=seed,
        success=success,
        model_xml=env.unwrapped.model_xml(),  # type: ignore[attr-defined]
        arrays={key: np.asarray(values) for key, values in steps.items()},
        obs={key: np.stack(values) for key, values in seen.items()},
    )


def _run_attempts(collection: Collection, parts: Path, done: dict[int, bool], workers: int) -> Iterator[None]:
    """Run attempts until enough are kept, noting each in `done`; yields once for each kept one."""
    yield from (None for kept in done.values() if kept)
    unused = (k for k in itertools.count() if k not in done)
    running: dict[Future[bool], int] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (collection, parts)) as pool:
        while _first_kept(done, collection.episodes) is None:
            while len(running) < 2 * workers:
                attempt = next(unused)
                running[pool.submit(_attempt_in_worker, attempt)] = attempt
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                attempt = running.pop(future)
                done[attempt] = _result(future)
                yield from [None] * done[attempt]
            if len(done) >= HOPELESS_AFTER and not any(done.values()):
                raise UserError(f"{collection.env_id}: the expert failed in all of {len(done)} attempts")
        pool.shutdown(cancel_futures=True)


def _result(future: Future[bool]) -> bool:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise UserError(f"a collecting process died ({error}); run the command again to go on") from error


def _first_kept(done: dict[int, bool], wanted: int) -> list[int] | None:
    """The first `wanted` kept attempts; None while an earlier one might still be among them."""
    chosen = []
    for attempt in range(len(done)):
        if attempt not in done:
            return None
        if done[attempt]:
            chosen.append(attempt)
        if len(chosen) == wanted:
            return chosen
    return None


_worker: dict[str, Any] = {}  # what a worker process keeps between its attempts


def _start_worker(collection: Collection, parts: Path) -> None:
    env = gymnasium.make(collection.env_id, **collection.env_kwargs)
    _worker.update(collection=collection, parts=parts, env=env)


def _attempt_in_worker(attempt: int) -> bool:
    collection = _worker["collection"]
    episode = run_attempt(collection, attempt, _worker["env"])
    keep = episode.success or collection.keep_failures
    write_part(_part(_worker["parts"], attempt), episode, keep)
    return keep


def _part(parts: Path, attempt: int) -> Path:
    return parts / f"{attempt:06d}.hdf5"


def _settings_of(out: Path) -> str:
    """The settings that a dataset was collected with, as JSON; empty for one made otherwise."""
    if not h5py.is_hdf5(out):
        raise UserError(f"{out} exists and is not an HDF5 file; choose another --out")
    with h5py.File(out, "r") as file:
        return str(file["data"].attrs.get("collection", "{}")) if "data" in file else "{}"
