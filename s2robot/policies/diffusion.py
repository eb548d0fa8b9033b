"""Diffusion policies: the chunk of actions is drawn by denoising, conditioned on what was observed.

"Diffusion Policy: Visuomotor Policy Learning via Action Diffusion", arXiv 2303.04137. Schedules and
samplers are diffusers'.
"""

from dataclasses import dataclass
from typing import ClassVar

from s2robot.errors import UserError, unknown_name
from s2robot.policies.generative import (
    GenerativeConfig,
    GenerativePolicy,
    TransformerOptions,
    UNetOptions,
)
from s2robot.policies.processes import PREDICTIONS, SAMPLERS, Process, diffusion


@dataclass
class DiffusionOptions(GenerativeConfig):
    ACTING: ClassVar[tuple[str, ...]] = (*GenerativeConfig.ACTING, "sampler")

    loss: str = "l1"
    prediction: str = "sample"  # what the network predicts: sample, epsilon or v_prediction
    train_timesteps: int = 100  # of the schedule; inference_steps divides it
    sampler: str = "ddim"  # ddim, or ddpm, whose noise at every step is not scaled by the temperature
    temperature: float = 0.5

    def make_process(self) -> Process:
        clip = self.action_norm == "limits"
        return diffusion(self.prediction, self.train_timesteps, self.sampler, self.inference_steps, clip)

    def check(self) -> None:
        super().check()
        for option, value, known in (
            ("prediction", self.prediction, PREDICTIONS),
            ("sampler", self.sampler, SAMPLERS),
        ):
            if value not in known:
                raise unknown_name(f"policy.{option}", value, known)
        if self.train_timesteps % self.inference_steps:
            raise UserError(
                f"policy.inference_steps={self.inference_steps} must divide "
                f"policy.train_timesteps={self.train_timesteps}"
            )


@dataclass
class DiffusionUNetConfig(DiffusionOptions, UNetOptions):
    name: str = "diffusion_unet"

    @property
    def denoiser_name(self) -> str:
        return "unet"


@dataclass
class DiffusionTransformerConfig(DiffusionOptions, TransformerOptions):
    name: str = "diffusion_transformer"

    @property
    def denoiser_name(self) -> str:
        return "transformer"


class DiffusionUNet(GenerativePolicy):
    """A conditional 1-D U-Net trained with DDPM's objective and sampled with DDIM.

    It predicts the clean chunk with an L1 loss: with the paper's noise prediction and few training steps,
    PickCube's validation action error was half as much again and a tenth fewer episodes succeeded.
    """

    config: DiffusionUNetConfig


class DiffusionTransformer(GenerativePolicy):
    """The same with a transformer that attends to the observation's tokens, of the whole grid if the head is
    `tokens`."""

    config: DiffusionTransformerConfig
