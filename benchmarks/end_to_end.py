"""A policy that sees pixels through a ResNet-18 trained with it, to stand beside frozen, stored features."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.windows import FeatureGather
from s2robot.encoders.cameras import CameraEncoders
from s2robot.policies import Policy
from s2robot.policies import robomimic_nets as _quiet_robomimic  # noqa: F401 (it prints when imported otherwise)
from s2robot.policies.heads import CameraShape, Head
from s2robot.types import Features


class ResNetHead(Head):
    """robomimic's visual encoder in the place of a head: pixels in, a vector out, everything trained."""

    def __init__(self, size: tuple[int, int], dim: int) -> None:
        from robomimic.models.obs_core import VisualCore

        super().__init__(CameraShape(channels=3, grid=size))
        self.dim = dim
        self.core = VisualCore(
            input_shape=[3, *size],
            backbone_class="ResNet18Conv",
            backbone_kwargs={"pretrained": False},
            pool_class="SpatialSoftmax",
            pool_kwargs={"num_kp": 32},
            feature_dimension=dim,
        )

    def forward(
        self, features: Tensor, prefix: Tensor | None = None, proprio: Tensor | None = None
    ) -> Float[Tensor, "b dim"]:
        return self.core(features.float() / 255)


@dataclass
class Frames:
    """A camera's frames where windows expect a feature table."""

    pixels: UInt8[Tensor, "n 3 h w"]
    views: int = 1

    def gather(self, frames: Int[Tensor, "b to"], views: Tensor | None = None) -> Features:
        return Features(self.pixels[frames])

    def read_ahead(self, frames: Int[Tensor, "b to"], views: Tensor | None = None) -> None: ...


class Pixels(CameraEncoders):
    """In the place of frozen encoders: the frames are the features, of 3 channels on a grid of pixels."""

    def __init__(self) -> None:
        """Nothing is loaded."""

    def feature_shape(self, camera: str, image_size: tuple[int, int]) -> tuple[int, int, int]:
        return (3, *image_size)

    def scales(self, camera: str) -> int:
        return 1

    def prefix_shape(self, camera: str) -> tuple[int, int] | None:
        return None

    def encode(self, camera: str, images: UInt8[np.ndarray | Tensor, "b h w 3"]) -> Features:
        return Features(torch.as_tensor(images).permute(0, 3, 1, 2).float())


def frames_of(demos: Dataset, camera: str, size: int | None) -> Frames:
    """All frames of a camera, decoded, in RAM, shrunk to `size` pixels if it is not None."""
    frames = np.concatenate([demos.read_frames(episode, camera) for episode in demos.episodes])
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)
    if size is None:
        return Frames(pixels.contiguous())
    small = interpolate(pixels.float(), (size, size), mode="bilinear", antialias=True)
    return Frames(small.round().to(torch.uint8))


def seeing_pixels(
    policy: Policy, demos: Dataset, size: int | None
) -> tuple[Policy, dict[str, FeatureGather]]:
    """The same policy with a ResNet-18 for each camera, and the frames."""
    frames = {c: frames_of(demos, c, size) for c in demos.cameras}
    policy = copy.deepcopy(policy)
    for camera, seen in frames.items():
        (h, w), name = seen.pixels.shape[2:], policy.observe.module_of[camera]
        head = policy.observe.heads[name]
        assert isinstance(head, Head)
        policy.observe.heads[name] = ResNetHead((h, w), head.dim)
    return policy, dict(frames)
