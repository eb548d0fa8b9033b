"""Rollouts during training: they choose the checkpoint `best` and are not the success rate to report.

The best of many checkpoints on some seeds has a higher success rate on them than on others. So these seeds
are neither those of the demonstrations nor those of evaluations: they are kept in the checkpoint, and `eval`
refuses them.
"""

from collections.abc import Callable, Collection, Mapping

import torch

from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError
from s2robot.evaluation.options import RolloutConfig
from s2robot.evaluation.seeds import FIRST_SEED, evaluation_seeds
from s2robot.policies import Policy
from s2robot.rollouts.agent import Agent
from s2robot.rollouts.environment import check_rendering, problem
from s2robot.rollouts.episodes import run_episodes
from s2robot.rollouts.mapping import ObservationMapping
from s2robot.rollouts.sizes import default_batch
from s2robot.types import Spec


def selection_seeds(config: RolloutConfig, spec: Spec, training: Collection[int]) -> list[int]:
    """The seeds of the rollouts during training, none if `rollout.every` is 0.

    Raises `UserError` where nothing can be rolled out and for seeds that are used elsewhere.
    """
    if not config.every:
        return []
    if reason := problem(spec.env_id):
        raise UserError(f"rollout.every={config.every} is not possible: {reason}")
    check_rendering()
    if (end := config.seed + config.episodes) > FIRST_SEED:
        raise UserError(
            f"rollout.seed={config.seed}: of the seeds up to {end - 1}, {FIRST_SEED} and on are those "
            "of `s2robot eval`"
        )
    return evaluation_seeds(config.episodes, training, config.seed)


def success_rate(
    policy: Policy,
    encoders: CameraEncoders,
    device: torch.device,
    seeds: Collection[int],
    mapping: ObservationMapping | None = None,
) -> Callable[[], Mapping[str, float]]:
    """A function that rolls out the policy as it is then, one episode a seed."""

    def evaluate() -> Mapping[str, float]:
        spec, batch = policy.spec, default_batch(device.type)
        results = run_episodes(
            Agent(policy, encoders, device, batch),
            spec.env_id,
            list(seeds),
            spec.env_kwargs,
            batch=batch,
            mapping=mapping,
        )
        return {"rollout/success_rate": sum(result.success for result in results) / len(results)}

    return evaluate
