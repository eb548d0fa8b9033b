"""Stored views: augmented copies of every frame, encoded once beside it, so that training needs no pixels.

View 0 is the frame itself. The others are shifted (edges repeated, as in the random shift of DrQ,
https://arxiv.org/abs/2004.13649) and changed in brightness, contrast and saturation. The random numbers of a
view come from the frame's hash and the view's number, so a view can be computed again at any time.
"""

import struct
from dataclasses import dataclass

import numpy as np
from blake3 import blake3
from jaxtyping import Float, UInt8

from s2robot.errors import UserError
from s2robot.features.options import FeaturesConfig

GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, of red, green and blue


@dataclass(frozen=True)
class Views:
    """`count` views of each frame; raises UserError for values out of range."""

    count: int = FeaturesConfig.views
    shift: float = FeaturesConfig.view_shift  # at most, of the height and of the width
    colour: float = (
        FeaturesConfig.view_colour
    )  # brightness, contrast, saturation times 1 - colour to 1 + colour

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"a frame has 1 view or more, not {self.count}")
        for name, value in (("shift", self.shift), ("colour", self.colour)):
            if not 0 <= value < 1:
                raise UserError(f"{name} of views is at least 0 and below 1, not {value}")
        if self.count > 1 and not (self.shift or self.colour):
            raise UserError(f"{self.count} views without shift and colour would all be the same")

    def keys(self, frame: bytes) -> list[bytes]:
        """The key under which each view of the frame with this hash is stored.

        View 0 has the frame's own hash, the others a hash of it, their number and the two settings.
        """
        drawn = frame + struct.pack("<dd", self.shift, self.colour)
        return [frame, *(_digest(drawn, view, len(frame)) for view in range(1, self.count))]

    def draw(self, pixels: UInt8[np.ndarray, "h w 3"], frame: bytes, view: int) -> UInt8[np.ndarray, "h w 3"]:
        """A view of the frame with these pixels and this hash."""
        if view == 0:
            return pixels
        words = np.frombuffer(_digest(frame, view, 40), "<u8")
        down, right, brightness, contrast, saturation = words / 2**63 - 1  # each -1 to 1
        h, w = pixels.shape[:2]
        rows = np.clip(np.arange(h) + round(down * self.shift * h), 0, h - 1)
        columns = np.clip(np.arange(w) + round(right * self.shift * w), 0, w - 1)
        shifted = pixels[rows[:, None], columns]
        if not self.colour:
            return shifted
        factors = 1 + self.colour * np.array([brightness, contrast, saturation], np.float32)
        return _coloured(shifted, *factors)


def _coloured(
    pixels: UInt8[np.ndarray, "h w 3"], brightness: np.float32, contrast: np.float32, saturation: np.float32
) -> UInt8[np.ndarray, "h w 3"]:
    image: Float[np.ndarray, "h w 3"] = pixels * brightness
    mean = (image @ GREY).mean()
    image = mean + contrast * (image - mean)
    grey = (image @ GREY)[..., None]
    image = grey + saturation * (image - grey)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _digest(frame: bytes, view: int, size: int) -> bytes:
    return blake3(frame + view.to_bytes(4, "little")).digest(size)
