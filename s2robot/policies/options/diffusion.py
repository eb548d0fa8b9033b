"""Options of the diffusion policies."""

from dataclasses import dataclass
from typing import Any, ClassVar

from s2robot.config import at_least, option
from s2robot.errors import UserError
from s2robot.policies.options.generative import MOST_STEPS, GenerativeConfig, TransformerOptions, UNetOptions
from s2robot.registry import Lazy, Registry

PREDICTIONS = ("sample", "epsilon", "v_prediction")
SAMPLERS: Registry[Any] = Registry("policy.sampler")
SAMPLERS["ddim"] = Lazy("diffusers.schedulers.scheduling_ddim:DDIMScheduler")
SAMPLERS["ddpm"] = Lazy("diffusers.schedulers.scheduling_ddpm:DDPMScheduler")


@dataclass
class DiffusionOptions(GenerativeConfig):
    """Options of both."""

    ACTING: ClassVar[tuple[str, ...]] = (*GenerativeConfig.ACTING, "sampler")

    prediction: str = option("sample", "what the network predicts: sample, epsilon or v_prediction")
    train_timesteps: int = option(100, "noise levels of training; inference_steps divides them")
    sampler: str = option("ddim", "ddim, or ddpm, whose noise at every step the temperature does not scale")

    def check(self) -> None:
        super().check()
        self.check_choice("prediction", PREDICTIONS)
        self.check_choice("sampler", SAMPLERS)
        at_least(1, self, "train_timesteps", group="policy.")
        if self.train_timesteps > MOST_STEPS:
            raise UserError(f"policy.train_timesteps={self.train_timesteps} must be at most {MOST_STEPS}")
        if self.train_timesteps % self.inference_steps:
            raise UserError(
                f"policy.inference_steps={self.inference_steps} must divide "
                f"policy.train_timesteps={self.train_timesteps}"
            )


@dataclass
class DiffusionUNetConfig(DiffusionOptions, UNetOptions):
    """Options of `s2robot.policies.diffusion.DiffusionUNet`."""

    name: str = option("diffusion_unet", "of the policy")

    @property
    def denoiser_name(self) -> str:
        return "unet"


@dataclass
class DiffusionTransformerConfig(DiffusionOptions, TransformerOptions):
    """Options of `s2robot.policies.diffusion.DiffusionTransformer`."""

    name: str = option("diffusion_transformer", "of the policy")

    @property
    def denoiser_name(self) -> str:
        return "transformer"
