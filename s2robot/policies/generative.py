"""Policies that draw the chunk from noise: a process, a denoiser that it calls, and what was observed."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.policies.base import Policy, masked_mean
from s2robot.policies.denoisers import DENOISERS
from s2robot.policies.denoisers.base import Denoiser
from s2robot.policies.denoisers.transformer import DenoisingTransformer
from s2robot.policies.denoisers.unet import ConditionalUNet1d
from s2robot.policies.options.base import LOSSES
from s2robot.policies.options.generative import GenerativeConfig
from s2robot.policies.processes import Process
from s2robot.types import Batch, Observation, Spec


class GenerativePolicy(Policy):
    """Trained to denoise, acts by denoising; the options name the denoiser, a subclass makes the process."""

    config: Any

    def __init__(self, spec: Spec, config: GenerativeConfig) -> None:
        tokens = DENOISERS[config.denoiser_name].reads_tokens
        super().__init__(spec, config, getattr(config, "width", None) if tokens else None)
        self.net = self._make_denoiser()

    def process(self) -> Process:
        """What corrupts and denoises, as the options are now (an evaluation may change some)."""
        raise NotImplementedError

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        noisy, times, target = self.process().corrupt(self.actions(batch.actions))
        predicted = self.net(noisy, self.net.embed(times), self._read(batch.obs))
        loss = masked_mean(LOSSES[self.config.loss](predicted - target), batch.mask)
        return loss, {self.config.loss: loss.detach()}

    @torch.no_grad()
    def predict(
        self,
        obs: Observation,
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        first = next(obs.tensors())
        noise, times = self.noise(len(first), generators), self.process().times
        to = first.device
        return self.denoise(obs, noise.to(to), times.to(to, non_blocking=True), generators), state

    def denoise(
        self,
        obs: Observation,
        noise: Float[Tensor, "b ta da"],
        times: Float[Tensor, "k"],  # of the process, where the observation is
        generators: Sequence[torch.Generator] | None = None,
    ) -> Float[Tensor, "b ta da"]:
        """The chunk of actions that these steps make of `noise`, in the environment's units."""
        process, seen, levels = self.process(), self._read(obs), self.net.embed(times)
        chunk = self.config.temperature * noise
        for step in range(len(levels)):
            predicted = self.net(chunk, levels[step : step + 1], seen)
            chunk = process.step(predicted, step, chunk, generators)
        return self.actions.denormalize(chunk)

    def _read(self, obs: Observation) -> Any:
        return self.net.read(
            self.observe.tokens(obs) if self.net.reads_tokens else self.observe(obs).flatten(1)
        )

    def noise(self, b: int, generators: Sequence[torch.Generator] | None) -> Float[Tensor, "b ta da"]:
        """Drawn on the CPU whatever the device, so that an episode is the same on each."""
        shape = (self.config.horizon, self.actions.dim)
        if generators is None:
            return torch.randn(b, *shape)
        return torch.stack([torch.randn(shape, generator=generator) for generator in generators])

    def _make_denoiser(self) -> Denoiser:
        config = self.config
        if config.denoiser_name == "unet":
            observed = self.observe.dim * config.obs_steps
            return ConditionalUNet1d(
                self.actions.dim, observed, config.channels, config.kernel, config.embedding
            )
        return DenoisingTransformer(
            self.actions.dim,
            config.horizon,
            config.width,
            config.attention_heads,
            config.layers,
            config.dropout,
            config.causal,
        )
