"""Demonstrations of a scripted expert, written in robomimic's format by parallel processes.

Attempt k of a collection with seed s resets the environment with `episode_seed(s, k)` and draws its
disturbances from the same number, so an attempt does not depend on the process that runs it. Each is written
to its own file in `<out>.parts/`; when there are enough, the first ones in order of k are copied into one
file. A killed collection therefore continues where it stopped and ends with the same content.
"""

import itertools
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py

from envs.robosuite import to_env_args
from s2robot import plugins
from s2robot.collecting.attempt import run_attempt
from s2robot.collecting.collection import Collection, resolve
from s2robot.collecting.parts import claimed, kept_parts, must_match, part_path
from s2robot.collecting.writer import assemble, write_part
from s2robot.errors import UserError
from s2robot.processes.cores import usable_cores
from s2robot.processes.ending import leave_signals_to_parent
from s2robot.processes.starting import safe_children
from s2robot.progress import progress
from s2robot.rollouts.resolving import make_env

HOPELESS_AFTER = 50  # attempts without a single success


def collect(collection: Collection, out: Path, workers: int | None = None) -> bool:
    """Write the demonstrations to `out`; returns False when they were there already.

    Raises `UserError` when `out` (or what a killed run left) belongs to another collection, or when the
    expert never succeeds.
    """
    if workers is not None and workers < 1:
        raise UserError(f"--workers {workers}: it must be at least 1; without it there is one a core")
    collection = resolve(collection)
    settings = json.dumps(asdict(collection), sort_keys=True)
    if _is_there(out, settings):
        return False
    with claimed(out, settings) as parts:
        if _is_there(out, settings):  # by a process that held the parts until now
            return False
        done = {int(name): kept for name, kept in kept_parts(parts).items() if name.isdecimal()}
        attempts = _run_attempts(collection, parts, done, workers or usable_cores())
        for _ in progress(attempts, collection.episodes, f"collect {collection.env_id}"):
            pass
        chosen = _first_kept(done, collection.episodes)
        assert chosen is not None
        env_args = to_env_args(collection.env_id, collection.env_kwargs)
        assemble([part_path(parts, _name(k)) for k in chosen], out, env_args, {"collection": settings})
    return True


def _is_there(out: Path, settings: str) -> bool:
    """Whether this collection is complete. Raises `UserError` where another file is."""
    if out.exists():
        must_match(_settings_of(out), settings, out)
    return out.exists()


def _run_attempts(collection: Collection, parts: Path, done: dict[int, bool], workers: int) -> Iterator[None]:
    """Run attempts until enough are kept, noting each in `done`; yields once for each of those."""
    yield from [None] * min(sum(done.values()), collection.episodes)
    unused = (k for k in itertools.count() if k not in done)
    running: dict[Future[bool], int] = {}
    context = multiprocessing.get_context("spawn")
    given = (collection, parts, plugins.loaded())
    with safe_children(), ProcessPoolExecutor(workers, context, _start_worker, given) as pool:
        try:
            while _first_kept(done, collection.episodes) is None:
                while len(running) < 2 * workers:
                    attempt = next(unused)
                    running[pool.submit(_attempt_in_worker, attempt)] = attempt
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    attempt = running.pop(future)
                    done[attempt] = _result(future)
                    if done[attempt] and sum(done.values()) <= collection.episodes:
                        yield  # later ones are kept in case that an earlier attempt fails
                if len(done) >= HOPELESS_AFTER and not any(done.values()):
                    raise UserError(f"{collection.env_id}: the expert failed in all of {len(done)} attempts")
        finally:
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


def _start_worker(collection: Collection, parts: Path, plugin_names: Sequence[str]) -> None:
    leave_signals_to_parent()
    plugins.load(plugin_names)
    env = make_env(collection.env_id, collection.env_kwargs)
    _worker.update(collection=collection, parts=parts, env=env)


def _attempt_in_worker(attempt: int) -> bool:
    collection = _worker["collection"]
    episode = run_attempt(collection, attempt, _worker["env"])
    keep = episode.success or collection.keep_failures
    write_part(part_path(_worker["parts"], _name(attempt)), episode, keep)
    return keep


def _name(attempt: int) -> str:
    return f"{attempt:06d}"


def _settings_of(out: Path) -> str:
    """The settings that a dataset was collected with, as JSON; empty for one that was not collected."""
    if not h5py.is_hdf5(out):
        raise UserError(f"{out} exists and is not an HDF5 file; choose another --out")
    with h5py.File(out, "r") as file:
        return str(file["data"].attrs.get("collection", "{}")) if "data" in file else "{}"
