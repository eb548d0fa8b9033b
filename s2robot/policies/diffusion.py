"""Diffusion policy: the chunk of actions is drawn by denoising, conditioned on what was observed.

"Diffusion Policy: Visuomotor Policy Learning via Action Diffusion", arXiv 2303.04137. Schedules and
samplers are diffusers'.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.errors import UserError, unknown_name
from s2robot.policies.base import LOSSES, Policy, PolicyConfig, masked_mean
from s2robot.policies.denoisers import ConditionalUNet1d
from s2robot.types import Batch, Spec

PREDICTIONS = ("sample", "epsilon", "v_prediction")


@dataclass
class DiffusionUNetConfig(PolicyConfig):
    name: str = "diffusion_unet"
    embedding: int = 256  # length of what the U-Net is told about the observations
    channels: list[int] = field(default_factory=lambda: [64, 128])
    prediction: str = "sample"  # what the network predicts: sample, epsilon or v_prediction
    loss: str = "l1"  # l1 or l2
    train_timesteps: int = 100  # of the DDPM schedule
    inference_steps: int = 10  # of DDIM
    temperature: float = 0.5  # deviation of the noise that sampling starts from; below 1 keeps near the mode

    def check(self) -> None:
        super().check()
        divisor = 2 ** (len(self.channels) - 1)
        if self.horizon % divisor:
            raise UserError(f"policy.horizon={self.horizon} must be divisible by {divisor} for this U-Net")
        for option, value, known in (
            ("prediction", self.prediction, PREDICTIONS),
            ("loss", self.loss, LOSSES),
        ):
            if value not in known:
                raise unknown_name(f"policy.{option}", value, known)


class DiffusionUNet(Policy):
    """A conditional 1-D U-Net trained with DDPM's objective and sampled with DDIM.

    It predicts the clean chunk with an L1 loss: with the paper's noise prediction and few training steps,
    PickCube's validation action error was half as much again and a tenth fewer episodes succeeded.
    """

    config: DiffusionUNetConfig

    def __init__(self, spec: Spec, config: DiffusionUNetConfig) -> None:
        super().__init__(spec, config)
        self.embed = nn.Sequential(
            nn.Linear(self.observe.dim * config.obs_steps, config.embedding),
            nn.Mish(),
            nn.Linear(config.embedding, config.embedding),
        )
        self.net = ConditionalUNet1d(self.actions.dim, config.embedding, config.channels)
        self.schedule = DDPMScheduler(
            num_train_timesteps=config.train_timesteps,
            beta_schedule="squaredcos_cap_v2",
            prediction_type=config.prediction,
            clip_sample=True,
        )

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        actions = self.actions(batch.actions)
        noise = torch.randn_like(actions)
        timesteps = torch.randint(self.config.train_timesteps, (len(actions),), device=actions.device)
        noisy = self.schedule.add_noise(actions, noise, timesteps)
        predicted = self.net(noisy, timesteps, self._condition(batch.obs))
        if self.config.prediction == "epsilon":
            target = noise
        elif self.config.prediction == "sample":
            target = actions
        else:
            target = self.schedule.get_velocity(actions, noise, timesteps)
        loss = masked_mean(LOSSES[self.config.loss](predicted - target), batch.mask)
        return loss, {self.config.loss: loss.detach()}

    @torch.no_grad()
    def predict(
        self,
        obs: Mapping[str, Float[Tensor, "b to ..."]],
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        cond = self._condition(obs)
        sampler = DDIMScheduler.from_config(self.schedule.config)  # its own: a sampler counts its steps
        sampler.set_timesteps(self.config.inference_steps)
        chunk = self.config.temperature * self._noise(len(cond), generators).to(cond)
        for timestep in sampler.timesteps:
            predicted = self.net(chunk, timestep.to(cond.device).expand(len(cond)), cond)
            chunk = sampler.step(predicted, timestep, chunk).prev_sample
        return self.actions.denormalize(chunk), state

    def _condition(self, obs: Mapping[str, Float[Tensor, "b to ..."]]) -> Float[Tensor, "b d"]:
        return self.embed(self.observe(obs).flatten(1))

    def _noise(self, b: int, generators: Sequence[torch.Generator] | None) -> Float[Tensor, "b ta da"]:
        """Drawn on the CPU whatever the device, so that an episode is the same on each."""
        shape = (self.config.horizon, self.actions.dim)
        if generators is None:
            return torch.randn(b, *shape)
        return torch.stack([torch.randn(shape, generator=generator) for generator in generators])
