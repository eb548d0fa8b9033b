"""Behaviour cloning with robomimic's MLP: it regresses a chunk of actions.

"What Matters in Learning from Offline Human Demonstrations for Robot Manipulation", arXiv 2108.03298;
the chunk is that of ACT, arXiv 2304.13705 (`horizon=1` for robomimic's single action).
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.policies.base import Policy, masked_mean
from s2robot.policies.options.base import LOSSES
from s2robot.policies.options.bc import BCConfig
from s2robot.policies.robomimic_nets import KEY, build
from s2robot.types import Batch, Observation, Spec


class BC(Policy):
    """robomimic's actor (its output passes a tanh) on the last `obs_steps` observations, side by side."""

    config: BCConfig

    def __init__(self, spec: Spec, config: BCConfig) -> None:
        super().__init__(spec, config)
        self.net = build(
            "ActorNetwork",
            self.observe.dim * config.obs_steps,
            self.actions.dim * config.horizon,
            mlp_layer_dims=list(config.hidden),
        )

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        error = self._chunk(batch.obs) - self.actions(batch.actions)
        loss = masked_mean(LOSSES[self.config.loss](error), batch.mask)
        return loss, {self.config.loss: loss.detach()}

    @torch.no_grad()
    def predict(
        self,
        obs: Observation,
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        return self.actions.denormalize(self._chunk(obs)), state

    def _chunk(self, obs: Observation) -> Float[Tensor, "b ta da"]:
        """Normalised actions."""
        flat = self.net({KEY: self.observe(obs).flatten(1)})
        return flat.unflatten(-1, (self.config.horizon, self.actions.dim))
