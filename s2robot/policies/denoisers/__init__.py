"""Networks that denoise a chunk of actions, by name; see `s2robot.policies.denoisers.base`."""

from typing import TYPE_CHECKING

from s2robot.registry import Lazy, Registry

if TYPE_CHECKING:
    from s2robot.policies.denoisers.base import Denoiser

__all__ = ["DENOISERS"]

DENOISERS: "Registry[type[Denoiser]]" = Registry("policy.denoiser")
DENOISERS["transformer"] = Lazy("s2robot.policies.denoisers.transformer:DenoisingTransformer")
DENOISERS["unet"] = Lazy("s2robot.policies.denoisers.unet:ConditionalUNet1d")
