"""The example's networks: a head that keeps each channel's maximum, and a policy that is one linear layer."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.policies import Policy
from s2robot.policies.base import masked_mean
from s2robot.policies.heads import CameraShape, Head
from s2robot.types import Batch, Observation, Spec
from s2robot_example.options import LinearConfig


class Maximum(Head):
    """The largest value of each channel over all cells, then one linear layer."""

    def __init__(self, shape: CameraShape, dim: int = 64) -> None:
        super().__init__(shape)
        self.dim = dim
        self.project = nn.Linear(shape.channels, dim)

    def forward(
        self,
        features: Float[Tensor, "b c gh gw"],
        prefix: Float[Tensor, "b p c2"] | None = None,
        proprio: Float[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b dim"]:
        return self.project(self.normalizer(features.float().amax((-2, -1))))


class LinearPolicy(Policy):
    """One linear layer from the last `obs_steps` observations to a chunk of normalised actions."""

    config: LinearConfig

    def __init__(self, spec: Spec, config: LinearConfig) -> None:
        super().__init__(spec, config)
        self.hide = nn.Dropout(config.dropout)
        self.net = nn.Linear(self.observe.dim * config.obs_steps, self.actions.dim * config.horizon)

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        error = self._chunk(batch.obs) - self.actions(batch.actions)
        loss = masked_mean(error.abs(), batch.mask)
        return loss, {"l1": loss.detach()}

    @torch.no_grad()
    def predict(
        self,
        obs: Observation,
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        return self.actions.denormalize(self._chunk(obs)), state

    def _chunk(self, obs: Observation) -> Float[Tensor, "b ta da"]:
        flat = self.net(self.hide(self.observe(obs).flatten(1)))
        return flat.unflatten(-1, (self.config.horizon, self.actions.dim))
