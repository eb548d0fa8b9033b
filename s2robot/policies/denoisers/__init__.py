"""Networks that denoise a chunk of actions, by name; see `s2robot.policies.denoisers.base`."""

from s2robot.policies.denoisers.base import Denoiser
from s2robot.policies.denoisers.transformer import DenoisingTransformer
from s2robot.policies.denoisers.unet import ConditionalUNet1d
from s2robot.registry import Registry

DENOISERS: Registry[type[Denoiser]] = Registry("policy.denoiser")
DENOISERS["transformer"] = DenoisingTransformer
DENOISERS["unet"] = ConditionalUNet1d

__all__ = ["DENOISERS", "ConditionalUNet1d", "Denoiser", "DenoisingTransformer"]
