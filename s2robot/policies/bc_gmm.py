"""Behaviour cloning with robomimic's Gaussian mixture over chunks of actions, arXiv 2108.03298."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.policies.float32 import in_float32
from s2robot.policies.mixture import Mixture, MixturePolicy, mixture_nll
from s2robot.policies.options.bc import BCGMMConfig
from s2robot.policies.robomimic_nets import build, raw_outputs
from s2robot.types import Batch, Observation, Spec


class BCGMM(MixturePolicy):
    """A mixture from the last `obs_steps` observations, side by side."""

    config: BCGMMConfig

    def __init__(self, spec: Spec, config: BCGMMConfig) -> None:
        super().__init__(spec, config)
        self.net = build(
            "GMMActorNetwork",
            self.observe.dim * config.obs_steps,
            self.actions.dim * config.horizon,
            mlp_layer_dims=list(config.hidden),
            **self.mixture_sizes,
        )

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        loss = mixture_nll(self._mixture(batch.obs), self.actions(batch.actions), batch.mask)
        return loss, {"nll": loss.detach()}

    @torch.no_grad()
    def predict(
        self,
        obs: Observation,
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        return self.chunk(self._mixture(obs)), state

    def _mixture(self, obs: Observation) -> Mixture:
        seen = self.observe(obs).flatten(1).float()
        with in_float32(seen):
            return self.mixture(raw_outputs(self.net, seen))
