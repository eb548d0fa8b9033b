"""Behaviour cloning with robomimic's networks and an action-chunk head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.policies.base import Policy, PolicyConfig, masked_mean
from s2robot.policies.robomimic_nets import KEY, build
from s2robot.types import Batch, Spec


@dataclass
class BCConfig(PolicyConfig):
    name: str = "bc"
    hidden: list[int] = field(default_factory=lambda: [512, 512])


class BC(Policy):
    """robomimic's `ActorNetwork` (MLP, tanh) regressing the whole chunk with an L1 loss.

    "What Matters in Learning from Offline Human Demonstrations for Robot Manipulation",
    arXiv 2108.03298; the chunk is that of ACT, arXiv 2304.13705.
    """

    config: BCConfig

    def __init__(self, spec: Spec, config: BCConfig) -> None:
        super().__init__(spec, config)
        self.net = build(
            "ActorNetwork",
            input_dim=self.observe.dim * config.obs_steps,
            action_dim=spec.action_dim * config.horizon,
            hidden=list(config.hidden),
        )

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        target = self.actions(batch.actions)
        l1 = masked_mean((self._chunk(batch.obs) - target).abs(), batch.mask)
        return l1, {"l1": l1.detach()}

    @torch.no_grad()
    def predict(
        self,
        obs: Mapping[str, Float[Tensor, "b to ..."]],
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        return self.actions.denormalize(self._chunk(obs)), state

    def _chunk(self, obs: Mapping[str, Float[Tensor, "b to ..."]]) -> Float[Tensor, "b ta da"]:
        """Normalised actions."""
        seen = self.observe(obs).flatten(1)  # b (to d)
        return self.net({KEY: seen}).reshape(-1, self.config.horizon, self.spec.action_dim)
