"""The contract of a frozen image encoder: uint8 frames in, features out, a spec that says all."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from s2robot.errors import UserError
from s2robot.types import Features


@dataclass(frozen=True)
class EncoderSpec:
    """All that decides an encoder's numbers, as plain data: it goes into store keys and checkpoints."""

    name: str
    channels: int  # of the feature map
    stride: int  # pixels of the network's input per cell of the grid
    tile: int  # side in pixels of the square inputs that its weights were trained on
    mean: tuple[float, float, float]  # of RGB in [0, 1]
    std: tuple[float, float, float]
    interpolation: str  # that its authors resized with: "bicubic" or "bilinear"
    prefix_tokens: int
    weights_sha256: str
    precision: str  # of the network's arithmetic: "float32", "float16" or "bfloat16"
    # Block or stage that the map is taken from, where it is not the encoder's usual one:
    layer: int | None = field(default=None, kw_only=True)

    def grid(self, h: int, w: int) -> tuple[int, int]:
        """Cells (gh, gw) of the map of an image of h x w pixels; UserError if it takes no such image."""
        if h < self.stride or w < self.stride or h % self.stride or w % self.stride:
            raise UserError(
                f"encoder {self.name!r} takes sides that are multiples of {self.stride}, not {h}x{w}"
            )
        return h // self.stride, w // self.stride

    @property
    def prefix_shape(self) -> tuple[int, int] | None:
        """(p, c) of the prefix tokens of an image; None of encoders that have none."""
        return (self.prefix_tokens, self.channels) if self.prefix_tokens else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, equal to what JSON gives back."""
        plain = asdict(self)
        if self.layer is None:  # an option added later: without it, keys of stores are what they were
            del plain["layer"]
        return json.loads(json.dumps(plain))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`."""
        names = {f.name for f in fields(cls)}
        if names != set(plain) | {"layer"}:
            differing = ", ".join(sorted(names ^ (set(plain) | {"layer"})))
            raise UserError(f"the spec of an encoder has other fields than expected: {differing}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
        return cls(**values)


class Encoder(nn.Module):
    """A frozen encoder: always in eval mode, never a gradient, nothing that a parent could move.

    The network's weights are kept out of the module tree on purpose: a parent's `.train()`, optimiser, EMA,
    `.to()` or `state_dict()` neither sees nor changes them.
    """

    spec: EncoderSpec

    def __init__(self) -> None:
        super().__init__()
        super().train(False)

    def train(self, mode: bool = True) -> Self:
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
