"""Behaviour cloning with robomimic's MLP: it regresses a chunk of actions.

"What Matters in Learning from Offline Human Demonstrations for Robot Manipulation", arXiv 2108.03298;
the chunk is that of ACT, arXiv 2304.13705 (`horizon=1` for robomimic's single action).
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.errors import UserError
from s2robot.policies.base import Policy, masked_mean
from s2robot.policies.float32 import in_float32
from s2robot.policies.foresight import Foresight
from s2robot.policies.options.base import LOSSES
from s2robot.policies.options.bc import BCConfig
from s2robot.policies.robomimic_nets import KEY, build
from s2robot.types import Batch, Observation, Spec


class BC(Policy):
    """robomimic's actor (its output passes a tanh) on the last `obs_steps` observations, side by side.

    With `foresee` it learns besides where the robot will be, and reads what it foresees.
    """

    config: BCConfig

    def __init__(self, spec: Spec, config: BCConfig) -> None:
        super().__init__(spec, config)
        observed = self.observe.dim * config.obs_steps
        self.foresight = None
        if config.foresee:
            if not spec.proprio:
                raise UserError(
                    "policy.foresee needs proprioception, and data.proprio is empty; "
                    "policy.foresee=[] trains without"
                )
            self.foresight = Foresight(observed, self.observe.proprio_dim, len(config.foresee))
        self.net = build(
            "ActorNetwork",
            observed + (self.foresight.dim if self.foresight else 0),
            self.actions.dim * config.horizon,
            mlp_layer_dims=list(config.hidden),
        )

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        chunk, foreseen = self._chunk(batch.obs)
        error = chunk - self.actions(batch.actions)
        loss = masked_mean(LOSSES[self.config.loss](error), batch.mask)
        metrics = {self.config.loss: loss.detach()}
        if foreseen is None:
            return loss, metrics
        missed = (foreseen - self.observe.normalized(batch.future)).abs()
        missed = masked_mean(missed, torch.ones_like(missed[..., 0], dtype=torch.bool))
        metrics["foresight"] = missed.detach()
        return loss + self.config.foresee_weight * missed, metrics

    @torch.no_grad()
    def predict(
        self,
        obs: Observation,
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        return self.actions.denormalize(self._chunk(obs)[0]), state

    def _chunk(self, obs: Observation) -> tuple[Float[Tensor, "b ta da"], Float[Tensor, "b tf p"] | None]:
        """Normalised actions, and normalised proprioception at later times if it is foreseen."""
        seen, foreseen = self.observe(obs).flatten(1).float(), None
        with in_float32(seen):
            if self.foresight is not None:
                foreseen, more = self.foresight(seen, self.observe.proprioception(obs)[:, -1])
                seen = torch.cat([seen, more], dim=1)
            flat = self.net({KEY: seen})
        return flat.unflatten(-1, (self.config.horizon, self.actions.dim)), foreseen
