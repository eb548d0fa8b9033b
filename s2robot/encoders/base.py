"""The contract of a frozen image encoder: uint8 frames in, features out, a spec that says all."""

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from s2robot.encoders.spec import EncoderSpec
from s2robot.errors import UserError
from s2robot.types import Features


class Encoder(nn.Module):
    """A frozen encoder: always in eval mode, never a gradient, nothing that a parent could move.

    The network's weights are kept out of the module tree on purpose: a parent's `.train()`, optimiser, EMA,
    `.to()` or `state_dict()` neither sees nor changes them.
    """

    spec: EncoderSpec

    def __init__(self) -> None:
        super().__init__()
        super().train(False)

    def train(self, mode: bool = True) -> "Encoder":
        """Changes nothing: the encoder stays in eval mode."""
        return self

    @torch.no_grad()
    def encode(self, images: UInt8[np.ndarray | Tensor, "b h w 3"]) -> Features:
        """Features (float32) of frames, top row first.

        A frame's features do not depend on the other frames of the batch beyond float noise, and the same
        batch gives the same bits. Raises UserError for anything but uint8 "b h w 3" of a size it can take.
        """
        frames = check_images(images)
        self.spec.grid(frames.shape[1], frames.shape[2])
        return self._encode(frames)

    def _encode(self, frames: UInt8[Tensor, "b h w 3"]) -> Features:
        raise NotImplementedError

    def forward(self, images: UInt8[np.ndarray | Tensor, "b h w 3"]) -> Features:
        return self.encode(images)


def check_images(images: UInt8[np.ndarray | Tensor, "b h w 3"]) -> UInt8[Tensor, "b h w 3"]:
    """The frames as a tensor (no copy where none is needed); UserError in one line for anything else."""
    if not isinstance(images, np.ndarray | Tensor):
        raise UserError(
            f'images must be a numpy array or tensor uint8 "b h w 3", not {type(images).__name__}'
        )
    shape = tuple(images.shape)
    if images.dtype not in (np.uint8, torch.uint8):
        raise UserError(
            f"images must be uint8 in 0..255, not {str(images.dtype).removeprefix('torch.')} "
            f"(shape {shape}): pass the camera's frames as they are"
        )
    if len(shape) != 4 or shape[3] != 3:
        hint = "; channels come last" if len(shape) == 4 and shape[1] == 3 else ""
        hint = "; a single frame needs a batch axis: image[None]" if len(shape) == 3 else hint
        raise UserError(f'images must have the shape "b h w 3", not {shape}{hint}')
    if shape[0] == 0:
        raise UserError(f"there are no images to encode: the shape is {shape}")
    if isinstance(images, Tensor):
        return images
    return torch.from_numpy(np.require(images, requirements=["C_CONTIGUOUS", "WRITEABLE"]))
