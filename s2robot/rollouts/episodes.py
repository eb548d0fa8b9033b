"""Episodes in parallel: worker processes simulate and render, this process sees and decides.

Each worker plays one episode at a time (`s2robot.rollouts.simulator`). It is sent an action chunk, executes
the first `action_steps` of it and reports the observations that the next decision reads; meanwhile the
policy decides for others. No episode waits for another one, a finished worker takes the next seed.

What an episode does depends on its seed and on nothing else: not on the number of workers, nor on who
happened to wait at the same time. Noise comes from one generator an episode, and `Actor.act` always
gets exactly `batch` rows, the missing ones filled with copies whose results are dropped (libraries
choose their kernels by batch size, so another size can mean another last bit). The batch is therefore
an argument and never derived from the workers. It is 1 unless asked otherwise, which is right for a
CPU: the frames of one observation are 2 to 20 encoder tiles, which fill the cores, and a filler row
costs as much as a real one. On a GPU choose about half as many rows as workers, so that one half is
simulated while the policy decides for the other: with more than one row it waits until the batch is
full or no episode is being simulated.

A worker that dies, raises or does not answer in time is replaced and its seed run once more; a
seed that fails twice is reported at the end by `RolloutError`, after all others have finished.
"""

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s2robot.errors import UserError
from s2robot.files import leftovers
from s2robot.rollouts.simulator import Failed, Finished, Observed, Ready, Setup, Start
from s2robot.rollouts.worker import Died, Worker
from s2robot.types import Actor, EpisodeResult

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 120.0  # to import the environment's packages and build it
MAX_FAILURES = 3  # more seeds or starts than this and the environment is broken, not unlucky


class RolloutError(UserError):
    """Some episodes could not be run, twice each."""

    def __init__(self, env_id: str, failures: Mapping[int, str]) -> None:
        told = "; ".join(f"seed {seed}: {why}" for seed, why in failures.items())
        super().__init__(f"episodes of {env_id} failed twice: {told}")
        self.failures = dict(failures)


@dataclass
class _Job:
    seed: int
    video: Path | None
    failed_before: bool = False


class _Episode:
    """A job under way."""

    def __init__(self, job: _Job) -> None:
        self.job = job
        self.started = time.monotonic()
        self.state: Any = None  # the policy's, carried from one decision to the next
        self.generator = torch.Generator().manual_seed(job.seed)


def run_episodes(
    policy: Actor,
    env_id: str,
    seeds: Sequence[int],
    env_kwargs: Mapping[str, Any] | None = None,
    on_result: Callable[[EpisodeResult], None] | None = None,
    **options: Any,
) -> list[EpisodeResult]:
    """Run one episode a seed; results in the order of `seeds`, `on_result` called as each finishes.

    Options and errors are those of `iter_episodes`. Ctrl-C and failed episodes raise after what had finished
    was given to `on_result`.
    """
    results = {}
    for result in iter_episodes(policy, env_id, seeds, env_kwargs, **options):
        results[result.seed] = result
        if on_result is not None:
            on_result(result)
    return [results[seed] for seed in seeds]


def iter_episodes(
    policy: Actor,
    env_id: str,
    seeds: Sequence[int],
    env_kwargs: Mapping[str, Any] | None = None,
    *,
    workers: int | None = None,
    batch: int = 1,
    record: int = 0,
    video_dir: Path | None = None,
    step_timeout_s: float = 60.0,
) -> Generator[EpisodeResult, None, None]:
    """Run one episode a seed and yield each as it finishes; ending or closing the generator ends the workers.

    `policy` is whatever can act, such as `s2robot.rollouts.agent.Agent` (a trained policy with its encoders).
    `env_id` and `env_kwargs` are what `gymnasium.make` takes; the environment observes a Dict with the
    policy's `obs_keys`, takes Box actions and reports `info["success"]` every step. `workers` is the
    number of processes (default: one more than the CPUs, as they wait for the policy in turn), `batch`
    the rows of every call of the policy. The first `record` seeds are filmed into
    `video_dir/seed_<seed>.mp4`, which changes nothing else. `step_timeout_s` is the time a worker has
    to answer a reset or an action chunk.

    Raises `UserError` when seeds repeat or policy and environment do not fit, `RolloutError` when seeds
    failed twice.
    """
    if not hasattr(policy, "act"):
        name = type(policy).__name__
        raise UserError(f"rollouts act with rollouts.agent.Agent(policy, encoders, device), not {name} alone")
    if len(set(seeds)) != len(seeds):
        raise UserError("a seed is listed more than once; each episode needs its own")
    if record and video_dir is None:
        raise UserError("recording needs a video_dir to write to")
    if batch < 1 or (workers is not None and workers < 1):
        raise UserError(f"workers and batch must be at least 1, not {workers} and {batch}")
    if video_dir is not None:
        video_dir.mkdir(parents=True, exist_ok=True)
    setup = Setup(env_id, dict(env_kwargs or {}), tuple(policy.obs_keys), policy.obs_steps)
    videos = [video_dir / f"seed_{seed}.mp4" if video_dir else None for seed in seeds[:record]]
    videos += [None] * (len(seeds) - len(videos))
    jobs = deque(_Job(seed, video) for seed, video in zip(seeds, videos, strict=True))
    count = min(workers or default_workers(), len(seeds))
    rollout = _Rollout(policy, setup, jobs, batch, step_timeout_s)
    try:
        yield from rollout.run(count)
    finally:
        rollout.close()


def default_workers() -> int:
    """One more than the CPUs this process may use, at most 32."""
    return min(32, len(os.sched_getaffinity(0)) + 1)


class _Rollout:
    """The workers, the episodes they play, and those that wait for a decision."""

    def __init__(
        self, actor: Actor, setup: Setup, queue: deque[_Job], batch: int, step_timeout_s: float
    ) -> None:
        self.actor, self.setup, self.queue = actor, setup, queue
        self.batch, self.step_timeout_s = batch, step_timeout_s
        self.workers: list[Worker] = []
        self.playing: dict[Worker, _Episode] = {}
        self.waiting: deque[Worker] = deque()  # their observations are ready to be acted on
        self.failures: dict[int, str] = {}
        self.failed_starts = 0

    def run(self, count: int) -> Iterator[EpisodeResult]:
        for _ in range(count):
            self._add_worker()
        while self.queue or self.playing:
            simulating = [worker for worker in self.workers if worker.busy]
            decide = len(self.waiting) >= self.batch or (self.waiting and not simulating)
            for worker, answer in _answers(simulating, block=not decide):
                result = self._handle(worker, answer)
                if result is not None:
                    yield result
            if decide:
                self._act()
        if self.failures:
            raise RolloutError(self.setup.env_id, self.failures)

    def close(self) -> None:
        for worker in self.workers:
            worker.hang_up()  # all first, so that they end side by side
        for worker in self.workers:
            worker.close()
        for episode in self.playing.values():
            _drop_unfinished_video(episode.job)

    def _add_worker(self) -> None:
        self.workers.append(Worker(self.setup, START_TIMEOUT_S))

    def _handle(self, worker: Worker, answer: Any) -> EpisodeResult | None:
        match answer:
            case Ready():
                worker.connect(answer)
                self._next_episode(worker)
            case Observed():
                self.waiting.append(worker)
            case Finished():
                episode = self.playing.pop(worker)
                self._next_episode(worker)
                return _result(episode, answer)
            case Failed(user_error=True):
                raise UserError(answer.error.removeprefix("UserError: "))
            case Failed() if worker not in self.playing:
                raise RuntimeError(f"cannot build {self.setup.env_id}: {answer.error}\n{answer.trace}")
            case Failed():
                logger.warning(answer.trace)
                self._failed(self.playing.pop(worker).job, f"raised {answer.error}")
                self._next_episode(worker)
            case Died():
                self._replace(worker, answer.reason)
        return None

    def _next_episode(self, worker: Worker) -> None:
        if self.queue:
            job = self.queue.popleft()
            self.playing[worker] = _Episode(job)
            worker.send(Start(job.seed, job.video), self.step_timeout_s)

    def _replace(self, worker: Worker, reason: str) -> None:
        worker.kill()
        self.workers.remove(worker)
        if worker in self.playing:
            self._failed(self.playing.pop(worker).job, reason)
        else:
            self.failed_starts += 1
            if self.failed_starts > MAX_FAILURES:
                raise RuntimeError(f"workers for {self.setup.env_id} do not start: one {reason}")
        if self.queue:
            self._add_worker()

    def _failed(self, job: _Job, reason: str) -> None:
        logger.warning("the episode of seed %d failed: its worker %s", job.seed, reason)
        if not job.failed_before:
            job.failed_before = True
            self.queue.append(job)
            return
        self.failures[job.seed] = reason
        _drop_unfinished_video(job)
        if len(self.failures) > MAX_FAILURES:
            raise RolloutError(self.setup.env_id, self.failures)

    def _act(self) -> None:
        """Ask the actor about up to `batch` waiting episodes, in rows filled up to `batch`."""
        workers = [self.waiting.popleft() for _ in range(min(self.batch, len(self.waiting)))]
        episodes = [self.playing[worker] for worker in workers]
        fill = self.batch - len(workers)
        rows = workers + workers[:1] * fill
        obs = {key: np.stack([row.observations[key] for row in rows]) for key in self.setup.obs_keys}
        states = [episode.state for episode in episodes]
        states += states[:1] * fill
        generators = [episode.generator for episode in episodes]
        generators += [torch.Generator().manual_seed(0) for _ in range(fill)]
        chunks, states = self.actor.act(obs, states, generators)
        self._check(chunks, workers[0])
        for worker, episode, chunk, state in zip(workers, episodes, chunks, states, strict=False):
            episode.state = state
            worker.send(np.array(chunk[: self.actor.action_steps]), self.step_timeout_s)

    def _check(self, chunks: np.ndarray, worker: Worker) -> None:
        steps, (action_dim,) = self.actor.action_steps, worker.action_shape
        if chunks.ndim == 3 and chunks.shape[2] != action_dim:
            takes = f"{self.setup.env_id} takes actions of {action_dim} numbers"
            raise UserError(f"{takes}, the policy gives {chunks.shape[2]}")
        if chunks.ndim != 3 or len(chunks) != self.batch or chunks.shape[1] < steps:
            wanted = f"({self.batch}, >= {steps}, {action_dim})"
            raise UserError(f"the policy gave actions of shape {chunks.shape}, not {wanted}")
        if not np.isfinite(chunks).all():
            raise UserError("the policy gave an action that is not finite")


def _result(episode: _Episode, end: Finished) -> EpisodeResult:
    seed, path = episode.job.seed, episode.job.video
    video = None if path is None else f"{path.parent.name}/{path.name}"
    wall_s = time.monotonic() - episode.started
    return EpisodeResult(seed, end.success, end.steps, end.return_, wall_s, video)


def _drop_unfinished_video(job: _Job) -> None:
    if job.video is not None:
        for scratch in leftovers(job.video):
            scratch.unlink(missing_ok=True)


def _answers(workers: Sequence[Worker], block: bool) -> Iterator[tuple[Worker, Any]]:
    """What has arrived from busy workers, and `Died` for those out of time; waits for one if `block`."""
    deadline = min((worker.deadline for worker in workers), default=0.0)
    timeout = max(0.0, deadline - time.monotonic()) if block else 0.0
    arrived = set(wait([worker.connection for worker in workers], timeout))
    now = time.monotonic()
    for worker in workers:
        if worker.connection in arrived:
            yield worker, worker.receive()
        elif worker.deadline <= now:
            yield worker, Died(f"gave no answer for {worker.allowed_s:g} s")
