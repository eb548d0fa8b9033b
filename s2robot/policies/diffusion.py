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
from torch import Tensor

from s2robot.errors import UserError
from s2robot.policies.base import Policy, PolicyConfig, masked_mean
from s2robot.policies.denoisers import ConditionalUNet1d
from s2robot.types import Batch, Spec


@dataclass
class DiffusionUNetConfig(PolicyConfig):
    name: str = "diffusion_unet"
    horizon: int = 16
    action_steps: int = 8
    channels: list[int] = field(default_factory=lambda: [64, 128])
    prediction: str = "epsilon"  # what the network predicts: epsilon, sample or v_prediction
    train_timesteps: int = 100  # of the DDPM schedule
    inference_steps: int = 10  # of DDIM

    def check(self) -> None:
        super().check()
        divisor = 2 ** (len(self.channels) - 1)
        if self.horizon % divisor:
            raise UserError(f"policy.horizon={self.horizon} must be divisible by {divisor} for this U-Net")


class DiffusionUNet(Policy):
    """A conditional 1-D U-Net trained with DDPM's objective and sampled with DDIM."""

    config: DiffusionUNetConfig

    def __init__(self, spec: Spec, config: DiffusionUNetConfig) -> None:
        super().__init__(spec, config)
        self.net = ConditionalUNet1d(spec.action_dim, self.observe.dim * config.obs_steps, config.channels)
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
        mse = masked_mean((predicted - target) ** 2, batch.mask)
        return mse, {"mse": mse.detach()}

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
        chunk = self._noise(len(cond), generators).to(cond)
        for timestep in sampler.timesteps:
            predicted = self.net(chunk, timestep.to(cond.device).expand(len(cond)), cond)
            chunk = sampler.step(predicted, timestep, chunk).prev_sample
        return self.actions.denormalize(chunk), state

    def _condition(self, obs: Mapping[str, Float[Tensor, "b to ..."]]) -> Float[Tensor, "b d"]:
        return self.observe(obs).flatten(1)

    def _noise(self, b: int, generators: Sequence[torch.Generator] | None) -> Float[Tensor, "b ta da"]:
        """Drawn on the CPU whatever the device, so that an episode is the same on each."""
        shape = (self.config.horizon, self.spec.action_dim)
        if generators is None:
            return torch.randn(b, *shape)
        return torch.stack([torch.randn(shape, generator=generator) for generator in generators])
