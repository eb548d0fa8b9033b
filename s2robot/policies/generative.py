"""Policies that draw the chunk from noise: a process, a denoiser that it calls, and what was observed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.errors import UserError, unknown_name
from s2robot.policies.base import LOSSES, Policy, PolicyConfig, check_attention, masked_mean
from s2robot.policies.denoisers import DENOISERS, ConditionalUNet1d, Denoiser, DenoisingTransformer
from s2robot.policies.processes import Process
from s2robot.types import Batch, Spec


@dataclass
class GenerativeConfig(PolicyConfig):
    """Options of all of them."""

    ACTING: ClassVar[tuple[str, ...]] = (*PolicyConfig.ACTING, "inference_steps", "temperature")

    loss: str = "l2"  # l1 or l2
    inference_steps: int = 10
    temperature: float = 1.0  # deviation of the noise that sampling starts from; below 1 keeps near the mode

    @property
    def denoiser_name(self) -> str:
        raise NotImplementedError

    def make_process(self) -> Process:
        raise NotImplementedError

    def check(self) -> None:
        super().check()
        if self.loss not in LOSSES:
            raise unknown_name("policy.loss", self.loss, LOSSES)
        if self.inference_steps < 1:
            raise UserError(f"policy.inference_steps={self.inference_steps} must be at least 1")
        if not self.temperature >= 0:
            raise UserError(f"policy.temperature={self.temperature} must be at least 0")
        DENOISERS[self.denoiser_name]


@dataclass
class UNetOptions(GenerativeConfig):
    embedding: int = 256  # length of what the U-Net is told about the observations
    channels: list[int] = field(default_factory=lambda: [64, 128])
    kernel: int = 5

    def check(self) -> None:
        super().check()
        divisor = 2 ** (len(self.channels) - 1)
        if self.denoiser_name == "unet" and self.horizon % divisor:
            raise UserError(f"policy.horizon={self.horizon} must be divisible by {divisor} for this U-Net")


@dataclass
class TransformerOptions(GenerativeConfig):
    width: int = 128  # of all tokens
    attention_heads: int = 4
    layers: int = 4
    dropout: float = 0.0
    causal: bool = False  # a step of the chunk does not attend to later ones

    def check(self) -> None:
        super().check()
        check_attention(self.width, self.attention_heads)


class GenerativePolicy(Policy):
    """Trained to denoise, acts by denoising. A subclass says by its configuration what and how."""

    config: Any

    def __init__(self, spec: Spec, config: GenerativeConfig) -> None:
        tokens = DENOISERS[config.denoiser_name].reads_tokens
        super().__init__(spec, config, getattr(config, "width", None) if tokens else None)
        self.net = self._make_denoiser()

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        noisy, times, target = self.config.make_process().corrupt(self.actions(batch.actions))
        predicted = self.net(noisy, self.net.embed(times), self._read(batch.obs))
        loss = masked_mean(LOSSES[self.config.loss](predicted - target), batch.mask)
        return loss, {self.config.loss: loss.detach()}

    @torch.no_grad()
    def predict(
        self,
        obs: Mapping[str, Float[Tensor, "b to ..."]],
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        process, seen = self.config.make_process(), self._read(obs)
        first = next(iter(obs.values()))
        levels = self.net.embed(process.times.to(first.device, non_blocking=True))
        chunk = self.config.temperature * self._noise(len(first), generators).to(levels)
        for step in range(len(levels)):
            predicted = self.net(chunk, levels[step : step + 1], seen)
            chunk = process.step(predicted, step, chunk, generators)
        return self.actions.denormalize(chunk), state

    def _read(self, obs: Mapping[str, Float[Tensor, "b to ..."]]) -> Any:
        return self.net.read(
            self.observe.tokens(obs) if self.net.reads_tokens else self.observe(obs).flatten(1)
        )

    def _noise(self, b: int, generators: Sequence[torch.Generator] | None) -> Float[Tensor, "b ta da"]:
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
