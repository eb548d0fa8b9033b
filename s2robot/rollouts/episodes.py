"""Episodes in parallel: worker processes simulate and render, this process encodes and decides.

What an episode does depends on its seed and on nothing else: not on the number of workers, nor on which
episodes wait at the same time. Noise comes from one generator an episode, and `Actor.act` always gets exactly
`batch` rows, the missing ones filled with copies whose results are dropped (libraries choose their kernels by
batch size, so another size can mean another last bit). The batch is therefore an argument and never derived
from the workers; `s2robot.rollouts.sizes` has the defaults of both.
"""

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from s2robot import plugins
from s2robot.errors import UserError
from s2robot.rollouts.mapping import ObservationMapping
from s2robot.rollouts.messages import Setup
from s2robot.rollouts.results import EpisodeResult
from s2robot.rollouts.scheduling import Job, RolloutError, Schedule
from s2robot.rollouts.sizes import default_workers
from s2robot.types import Actor

__all__ = ["RolloutError", "iter_episodes", "run_episodes"]


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
    mapping: ObservationMapping | None = None,
    look: bool = False,
) -> Generator[EpisodeResult, None, None]:
    """Run one episode a seed and yield each as it finishes; ending or closing the generator ends the workers.

    `policy` is an `Actor`, such as `s2robot.rollouts.agent.Agent` (a trained policy with its encoders).
    `env_id` and `env_kwargs` are what `gymnasium.make` takes; the workers import the module of an id
    `module:name`. The environment observes a Dict with the policy's `obs_keys`, takes Box actions and reports
    success as `s2robot.rollouts.success` reads it. `workers` is the number of processes (default:
    `default_workers(batch)`), `batch` the rows of every call of the policy. The first `record` seeds are
    filmed into `video_dir/seed_<seed>.mp4`, with their decisions beside it, which changes nothing else.
    `step_timeout_s` is the time a worker has to answer a reset or an action chunk. `mapping` is for an
    environment with other observation keys than the policy's, or with frames that are upside-down. With
    `look` the decisions say what the policy looked at; it must have a method `look` then.

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
    setup = Setup(
        env_id,
        dict(env_kwargs or {}),
        tuple(policy.obs_keys),
        policy.obs_steps,
        tuple(plugins.loaded()),
        mapping or ObservationMapping(),
    )
    videos = [video_dir / f"seed_{seed}.mp4" if video_dir else None for seed in seeds[:record]]
    videos += [None] * (len(seeds) - len(videos))
    jobs = deque(Job(seed, video) for seed, video in zip(seeds, videos, strict=True))
    count = min(workers or default_workers(batch), len(seeds))
    schedule = Schedule(policy, setup, jobs, batch, step_timeout_s, look)
    try:
        yield from schedule.run(count)
    finally:
        schedule.close()
