"""A trained policy as an actor: its checkpoint, the encoders that it was trained with, how it acts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.options import EncoderConfig
from s2robot.errors import UserError
from s2robot.features import check_samples, verify
from s2robot.policies import Policy
from s2robot.policies.acting import set_acting_options
from s2robot.policies.observation import ObservationEncoder
from s2robot.rollouts.agent import Agent
from s2robot.rollouts.ensembling import TemporalEnsemble, check_ensembling
from s2robot.runs import checkpoint
from s2robot.runs.checkpoint import Checkpoint
from s2robot.runs.plain import describe
from s2robot.types import Actor


def set_acting(policy: Policy, options: Mapping[str, Any], temporal_ensemble: float | None = None) -> None:
    """Set how a policy acts; with temporal ensembling it decides after every step. Raises `UserError`."""
    each_step = {} if temporal_ensemble is None else {"action_steps": 1}
    set_acting_options(policy, {**each_step, **options})
    if temporal_ensemble is not None:
        check_ensembling(temporal_ensemble, policy.config.action_steps)


def action_range(policy: Policy) -> tuple[Float[np.ndarray, "da"], Float[np.ndarray, "da"]]:
    """Lowest and highest action of the training, or a deviation about the mean, by its normalisation.

    Empty where the network's actions are others than the environment's.
    """
    if policy.actions.arms:
        return np.empty(0), np.empty(0)
    normalizer = policy.actions.normalizer
    ends = normalizer.scale.new_tensor([[-1.0], [1.0]]).expand(2, policy.actions.dim)
    low, high = normalizer.denormalize(ends).cpu().numpy()
    return low, high


def proprio_ranges(policy: Policy) -> dict[str, tuple[Float[np.ndarray, "d"], Float[np.ndarray, "d"]]]:
    """Lowest and highest numbers of each key of the training, or a deviation about the mean."""
    encoder = next((module for module in policy.modules() if isinstance(module, ObservationEncoder)), None)
    if encoder is None:
        return {}
    ranges = {}
    for key, one in encoder.normalizers().items():
        offset, scale = one.offset.cpu().numpy(), one.scale.cpu().numpy()
        ranges[key] = (offset - scale, offset + scale)
    return ranges


def verified_encoders(
    loaded: Checkpoint,
    device: torch.device,
    backend: str = EncoderConfig.backend,
    weights: str | None = None,
    max_tiles: int | None = None,
) -> CameraEncoders:
    """The encoders of a checkpoint; they give here what the policy was trained on. Raises `UserError`.

    `weights` is the file of their network where training was given one: a checkpoint may come from anyone, so
    that no file is opened because it names it.
    """
    with checkpoint.reading(loaded.path):
        check_samples(loaded.samples, loaded.policy.spec.cameras)
        encoder = loaded.config.get("encoder", {})
        if not isinstance(encoder, dict):
            raise UserError(f"its config.encoder is {describe(encoder)}, expected a JSON object")
        named = encoder.get("weights")
        if named is not None and weights is None:
            raise UserError(
                f"its encoders were trained with the weights file {str(named)[:200]}; what only a checkpoint "
                f"names is not opened: weights=FILE names it (export: --weights FILE)"
            )
    with checkpoint.naming(loaded.path):
        encoders = CameraEncoders.from_dict(loaded.encoders, device, backend, weights, max_tiles=max_tiles)
        verify(encoders, loaded.samples)
    return encoders


def make_actor(
    policy: Policy,
    encoders: CameraEncoders,
    device: torch.device,
    temporal_ensemble: float | None = None,
    batch: int = 1,
) -> Actor:
    """The policy with its encoders, on a device; `temporal_ensemble` is ACT's m, `batch` is `Agent`'s."""
    agent = Agent(policy, encoders, device, batch)
    return agent if temporal_ensemble is None else TemporalEnsemble(agent, temporal_ensemble)
