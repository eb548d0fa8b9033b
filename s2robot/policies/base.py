"""The contract of a policy.

    time       t-1   t   t+1  t+2 ... t+action_steps-1 ... t+horizon-1
    observed    o    o                                                    obs_steps = 2, the last is now
    predicted        a    a    a  ...        a         ...      a         horizon, the first is now
    executed         x    x    x  ...        x                            action_steps <= horizon
                                              then it observes and predicts again (receding horizon)

A policy keeps nothing between calls: what must be remembered goes in and out as `state`, what is
random comes from one generator an episode, and the queue of actions belongs to the rollout.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.errors import UserError
from s2robot.normalizer import Normalizer
from s2robot.policies.observation import ObservationEncoder, Statistics
from s2robot.types import Batch, Spec


@dataclass
class PolicyConfig:
    """What every policy can be asked for; each policy adds its own."""

    name: str = "???"
    obs_steps: int = 1
    horizon: int = 8
    action_steps: int = 4
    head: str = "spatial_softmax"
    head_args: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Raise `UserError` for horizons that do not fit together."""
        if self.obs_steps < 1 or self.horizon < 1:
            raise UserError(
                f"policy.obs_steps={self.obs_steps} and policy.horizon={self.horizon} must be >= 1"
            )
        if not 1 <= self.action_steps <= self.horizon:
            raise UserError(
                f"policy.action_steps={self.action_steps} must be between 1 and policy.horizon={self.horizon}"
            )


class Policy(nn.Module):
    """Base of all policies: normalisation and the observation encoder; subclasses do the rest."""

    def __init__(self, spec: Spec, config: PolicyConfig, width: int | None = None) -> None:
        """`width` is the length of the tokens of a policy that reads tokens (a transformer)."""
        super().__init__()
        config.check()
        self.spec = spec
        self.config = config
        self.observe = ObservationEncoder(spec, config.head, config.head_args, config.obs_steps, width)
        self.actions = Normalizer(spec.action_dim)

    def fit(self, statistics: Statistics) -> None:
        """Take all normalisation statistics from the training data; they are buffers from then on."""
        self.observe.fit(statistics)
        self.actions.fit(torch.from_numpy(statistics.actions), "limits")

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Mean loss over the unmasked action steps, and detached metrics. The batch is not changed."""
        raise NotImplementedError

    def predict(
        self,
        obs: Mapping[str, Float[Tensor, "b to ..."]],
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        """A chunk of actions in the environment's units, from now on, and the state to give back.

        `state` has one entry a row, None at an episode's first call; rows come and go between calls.
        `generators` holds one CPU generator for each row; without them the global random state is used.
        """
        raise NotImplementedError


def masked_mean(error: Float[Tensor, "b ta da"], mask: Tensor) -> Float[Tensor, ""]:
    """Mean over the entries whose step is inside the episode."""
    return (error * mask[..., None]).sum() / (mask.sum() * error.shape[-1])


@torch.no_grad()
def action_error(policy: Policy, batch: Batch) -> Float[Tensor, ""]:
    """Mean absolute error of the predicted chunk, in the environment's units."""
    generators = [torch.Generator().manual_seed(i) for i in range(len(batch.actions))]
    predicted, _ = policy.predict(batch.obs, None, generators)
    return masked_mean((predicted - batch.actions).abs(), batch.mask)
