"""One frozen encoder for all cameras, each at its own sizes.

Stores and rollouts both read frames through this object, so what a policy was trained on is what it sees.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from s2robot.encoders.network import NetworkEncoder
from s2robot.encoders.options import CAMERAS, SCALES, EncoderConfig, from_recorded
from s2robot.encoders.s2 import S2
from s2robot.errors import UserError, unknown_name
from s2robot.types import Features


class CameraEncoders:
    """S2 encoders that share one base network.

    The options of `EncoderConfig` hold for every camera but those in `camera_sizes` and `camera_grids`.
    """

    def __init__(
        self,
        name: str,
        sizes: Sequence[int] | None = None,
        camera_sizes: Mapping[str, Sequence[int]] | None = None,
        *,
        device: str | torch.device | None = None,
        **options: Any,
    ) -> None:
        """`device` is the GPU where there is one unless given; `options`: other fields of `EncoderConfig`."""
        chosen = EncoderConfig.of(name=name, sizes=sizes, camera_sizes=camera_sizes or {}, **options)
        self.base = NetworkEncoder.of(chosen, device)
        self.options = chosen.resolved(self.base.spec.tile, self.base.spec.stride)
        self._made: list[S2] = []
        for camera in ["", *self.named_cameras]:  # now, so that sizes that do not fit are refused now
            self.encoder(camera)

    @property
    def name(self) -> str:
        """The encoder's name in `ENCODERS`."""
        return self.options.name

    @property
    def named_cameras(self) -> list[str]:
        """The cameras that have settings of their own."""
        return sorted({*self.options.camera_sizes, *self.options.camera_grids})

    def check_cameras(self, known: Iterable[str]) -> None:
        """Raise UserError if a camera that has settings of its own is none of the `known`."""
        cameras = list(known)
        for camera in self.named_cameras:
            if camera not in cameras:
                raise unknown_name("camera in encoder.camera_sizes or camera_grids", camera, cameras)

    def encoder(self, camera: str) -> S2:
        """The encoder of a camera; any name is a camera, and has the common settings unless given its own."""
        own = self.options.of_camera(camera)
        for made in self._made:
            if made.options == own:
                return made
        encoder = S2(self.base, own)
        encoder.warn_of_whole_scales()
        self._made.append(encoder)
        return encoder

    def encode(self, camera: str, images: UInt8[np.ndarray | Tensor, "b h w 3"]) -> Features:
        """Features (float32) of a camera's frames; raises UserError as `Encoder.encode` does."""
        return self.encoder(camera).encode(images)

    def feature_shape(self, camera: str, image_size: tuple[int, int]) -> tuple[int, int, int]:
        """(c, gh, gw) of a camera with frames of `image_size` (h, w); UserError if they cannot be taken."""
        spec = self.encoder(camera).spec
        return (spec.channels, *spec.grid(*image_size))

    def prefix_shape(self, camera: str) -> tuple[int, int] | None:
        """(p, c) of the prefix tokens of a camera's frames; None if the base network has none."""
        return self.encoder(camera).spec.prefix_shape

    def scales(self, camera: str) -> int:
        """How many scales stand one behind the other in the channels of a camera's map."""
        return len(self.encoder(camera).spec.sizes) if self.options.merge == "concat" else 1

    def spec_dict(self) -> dict[str, Any]:
        """All that decides the features, as plain data for a checkpoint."""
        recorded = self.options.recorded(SCALES, CAMERAS)
        return {"name": self.options.name, **recorded, "base": self.base.spec.to_dict()}

    @classmethod
    def from_config(cls, config: EncoderConfig, device: str | torch.device | None = None) -> "CameraEncoders":
        """The encoders of a configuration."""
        return cls(**vars(config), device=device)

    @classmethod
    def from_dict(
        cls,
        plain: Mapping[str, Any],
        device: str | torch.device | None = None,
        backend: str = EncoderConfig.backend,
        weights: str | Path | None = None,
        **speed: Any,
    ) -> "CameraEncoders":
        """The encoders of `spec_dict`; `speed`: other options that decide no numbers.

        Raises UserError for a damaged description, and if weights or preprocessing here are not those
        recorded. What goes wrong with the machine (memory, a file that cannot be read) is raised as it is.
        """
        recorded = from_recorded(plain)
        options = EncoderConfig.of(**recorded, backend=backend, weights=weights, **speed)
        encoders = cls.from_config(options, device)
        have, want = encoders.base.spec.to_dict(), plain["base"]
        differing = sorted(key for key in have.keys() | want.keys() if have.get(key) != want.get(key))
        if differing:
            key = differing[0]
            raise UserError(
                f"encoder {encoders.options.name!r} differs from the one recorded in {', '.join(differing)}: "
                f"{key} is {have.get(key)!r}, recorded was {want.get(key)!r}"
            )
        return encoders
