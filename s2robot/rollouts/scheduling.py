"""The workers of a rollout, the episodes they play, and the decisions that these wait for.

Each worker plays one episode at a time (`s2robot.rollouts.simulator`). It is sent an action chunk, executes
the first `action_steps` of it and reports the observations that the next decision reads; meanwhile the
policy decides for others. No episode waits for another one, a finished worker takes the next seed. With more
than one row a decision waits until the batch is full or no episode is being simulated.

A worker that dies, raises or does not answer in time is replaced and its seed run once more; a seed that
fails twice is reported at the end by `RolloutError`, after all others have finished.
"""

import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from s2robot.errors import UserError
from s2robot.files import leftovers
from s2robot.rollouts.decisions import Decisions, decisions_path
from s2robot.rollouts.executed import after_executing
from s2robot.rollouts.looking import Look
from s2robot.rollouts.messages import Failed, Finished, Observed, Ready, Setup, Start
from s2robot.rollouts.results import EpisodeResult
from s2robot.rollouts.video import view_name
from s2robot.rollouts.worker import Died, Worker
from s2robot.types import Actor

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 120.0  # to import the environment's packages and build it
MAX_FAILURES = 3  # more seeds or starts than this and the environment is broken, not unlucky


class RolloutError(UserError):
    """Some episodes could not be run, twice each."""

    def __init__(self, env_id: str, failures: Mapping[int, str]) -> None:
        reasons = "; ".join(f"seed {seed}: {why}" for seed, why in failures.items())
        super().__init__(f"episodes of {env_id} failed twice: {reasons}")
        self.failures = dict(failures)


@dataclass
class Job:
    seed: int
    video: Path | None
    failed_before: bool = False


class _Episode:
    """A job that a worker is doing."""

    def __init__(self, job: Job, action_steps: int) -> None:
        self.job = job
        self.started = time.monotonic()
        self.state: Any = None  # the policy's, carried from one decision to the next
        self.generator = torch.Generator().manual_seed(job.seed)
        self.notes = None if job.video is None else Decisions(action_steps)

    def executed(self, actions: np.ndarray) -> None:
        if self.notes is not None:
            self.notes.execute(actions)


class Schedule:
    """The workers, the episodes they play, and those that wait for a decision."""

    def __init__(
        self,
        actor: Actor,
        setup: Setup,
        queue: deque[Job],
        batch: int,
        step_timeout_s: float,
        look: bool = False,
    ) -> None:
        """`look`: the actor says of filmed episodes what it looks at."""
        self.actor, self.setup, self.queue, self.look = actor, setup, queue, look
        self.batch, self.step_timeout_s = batch, step_timeout_s
        self.workers: list[Worker] = []
        self.playing: dict[Worker, _Episode] = {}
        self.waiting: deque[Worker] = deque()  # their observations are ready to be acted on
        self.failures: dict[int, str] = {}
        self.failed_starts = 0
        self.told: set[str] = set()  # errors of environments whose trace was shown

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
                if answer.executed is not None:
                    episode = self.playing[worker]
                    episode.executed(answer.executed)
                    episode.state = after_executing(self.actor, episode.state, answer.executed)
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
                if answer.error not in self.told:  # where the same error comes again, its line is enough
                    self.told.add(answer.error)
                    logger.warning(answer.trace)
                self._failed(self.playing.pop(worker).job, f"raised {answer.error}")
                self._next_episode(worker)
            case Died():
                self._replace(worker, answer.reason)
        return None

    def _next_episode(self, worker: Worker) -> None:
        if self.queue:
            job = self.queue.popleft()
            self.playing[worker] = _Episode(job, self.actor.action_steps)
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

    def _failed(self, job: Job, reason: str) -> None:
        logger.warning("the episode of seed %d failed: its worker %s", job.seed, reason)
        _drop_unfinished_video(job)
        if not job.failed_before:
            job.failed_before = True
            self.queue.append(job)
            return
        self.failures[job.seed] = reason
        if len(self.failures) > MAX_FAILURES:
            raise RolloutError(self.setup.env_id, self.failures)

    def _act(self) -> None:
        """Decide for up to `batch` waiting episodes; missing rows are filled with copies."""
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
        for i, (worker, episode, state) in enumerate(zip(workers, episodes, states, strict=False)):
            episode.state, chunk = state, chunks[i]
            if episode.notes is not None:
                episode.notes.decide(chunk, self._looks(i))
            worker.send(np.array(chunk[: self.actor.action_steps]), self.step_timeout_s)

    def _looks(self, row: int) -> dict[str, Look]:
        """What the actor looked at in a row of its last decision, by the name of the view."""
        if not self.look:
            return {}
        looks = cast(Any, self.actor).look(row)  # `Actor` need not have it
        return {view_name(self.setup.mapping.key(key)): one for key, one in looks.items()}

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
    episode.executed(end.executed)
    if episode.notes is not None and path is not None:
        episode.notes.layout = end.layout
        episode.notes.write(decisions_path(path))
    video = None if path is None else f"{path.parent.name}/{path.name}"
    wall_s = time.monotonic() - episode.started
    return EpisodeResult(seed, end.success, end.steps, end.return_, wall_s, video)


def _drop_unfinished_video(job: Job) -> None:
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
