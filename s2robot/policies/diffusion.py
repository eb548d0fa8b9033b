"""Diffusion policies: the chunk of actions is drawn by denoising, conditioned on what was observed.

"Diffusion Policy: Visuomotor Policy Learning via Action Diffusion", arXiv 2303.04137. Schedules and
samplers are diffusers'.
"""

from s2robot.policies.generative import GenerativePolicy
from s2robot.policies.options.diffusion import (
    DiffusionOptions,
    DiffusionTransformerConfig,
    DiffusionUNetConfig,
)
from s2robot.policies.processes import Process, diffusion


class DiffusionPolicy(GenerativePolicy):
    """Base of both: trained with DDPM's objective, sampled with DDIM or DDPM."""

    config: DiffusionOptions

    def process(self) -> Process:
        options = self.config
        clip = options.action_norm == "limits"
        return diffusion(
            options.prediction, options.train_timesteps, options.sampler, options.inference_steps, clip
        )


class DiffusionUNet(DiffusionPolicy):
    """A conditional 1-D U-Net trained with DDPM's objective and sampled with DDIM.

    It predicts the clean chunk with an L1 loss: with the paper's noise prediction and few training steps,
    PickCube's validation action error was half as much again and a tenth fewer episodes succeeded.
    """

    config: DiffusionUNetConfig


class DiffusionTransformer(DiffusionPolicy):
    """The same with a transformer that attends to the observation's tokens, of the whole grid if the head is
    `tokens`."""

    config: DiffusionTransformerConfig
