"""Options of the policies that draw the chunk from noise, and of their denoisers."""

from dataclasses import dataclass
from typing import ClassVar

from s2robot.config import at_least, option
from s2robot.errors import UserError
from s2robot.policies.options.base import LOSSES, PolicyConfig, check_attention, check_share, check_widths

MOST_STEPS = 1000  # of denoising, and noise levels in training, as arXiv 2006.11239 has
GROUPS = 8  # of the U-Net's group norms


@dataclass
class GenerativeConfig(PolicyConfig):
    """Options of all of them."""

    ACTING: ClassVar[tuple[str, ...]] = (*PolicyConfig.ACTING, "inference_steps", "temperature")

    loss: str = option("l1", "l1 or l2, of what the network predicts")
    inference_steps: int = option(10, "denoising steps of each chunk")
    temperature: float = option(
        0.5, "deviation of the noise that sampling starts from; 1: as trained, 0: none"
    )

    @property
    def denoiser_name(self) -> str:
        """Which of `DENOISERS` it is."""
        raise NotImplementedError

    def check(self) -> None:
        super().check()
        self.check_choice("loss", LOSSES)
        at_least(1, self, "inference_steps", group="policy.")
        if self.inference_steps > MOST_STEPS:
            raise UserError(f"policy.inference_steps={self.inference_steps} must be at most {MOST_STEPS}")
        at_least(0, self, "temperature", group="policy.")


@dataclass
class UNetOptions(GenerativeConfig):
    """Options of the U-Net."""

    embedding: int = option(256, "length of the observation's embedding in the U-Net")
    channels: list[int] = option([64, 128], "of the U-Net, one number for each resolution")
    kernel: int = option(5, "of the U-Net's convolutions, in environment steps")

    def check(self) -> None:
        super().check()
        at_least(1, self, "embedding", "kernel", group="policy.")
        check_widths("channels", self.channels)
        if self.denoiser_name == "unet" and any(channels % GROUPS for channels in self.channels):
            raise UserError(f"policy.channels={list(self.channels)} must be multiples of {GROUPS}")
        if self.kernel % 2 == 0:  # its output would be longer than the chunk
            raise UserError(f"policy.kernel={self.kernel} must be odd, such as {self.kernel + 1}")
        divisor = 2 ** (len(self.channels) - 1)
        if self.denoiser_name == "unet" and self.horizon % divisor:
            raise UserError(f"policy.horizon={self.horizon} must be divisible by {divisor} for this U-Net")


@dataclass
class TransformerOptions(GenerativeConfig):
    """Options of the denoising transformer."""

    width: int = option(128, "of the transformer's tokens")
    attention_heads: int = option(4, "of each layer; they divide the width")
    layers: int = option(4, "of the transformer")
    dropout: float = option(0.0, "of the transformer, in training")
    causal: bool = option(False, "a step of the chunk does not attend to later ones")

    def check(self) -> None:
        super().check()
        at_least(1, self, "layers", group="policy.")
        check_attention(self.width, self.attention_heads)
        check_share("dropout", self.dropout)
