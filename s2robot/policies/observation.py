"""What a policy knows: cached features and proprioception in, one vector a step out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.normalizer import Normalizer
from s2robot.policies.heads import HEADS
from s2robot.types import Spec

SMALLEST_DEVIATION = 1e-6  # of a feature channel: a dead channel is not blown up


@dataclass
class Statistics:
    """What the normalisation of a policy is fitted to. Only training needs it."""

    features: dict[str, tuple[Tensor, Tensor]]  # image key -> (mean, deviation), each "c"
    proprio: dict[str, np.ndarray]  # key -> "n d"
    actions: np.ndarray  # "n da"


class CameraBranch(nn.Module):
    """One camera: standardise the channels of its feature map, then pool the map with a head."""

    def __init__(self, shape: tuple[int, int, int], head: str, head_args: Mapping[str, Any]) -> None:
        super().__init__()
        self.normalizer = Normalizer(shape[0])
        self.head = HEADS[head](shape, **head_args)

    def forward(self, features: Float[Tensor, "b to c gh gw"]) -> Float[Tensor, "b to d"]:
        b, to = features.shape[:2]
        maps = features.flatten(0, 1).float()  # (b to) c gh gw, stored as fp16
        maps = (maps - self.normalizer.offset[:, None, None]) / self.normalizer.scale[:, None, None]
        return self.head(maps).reshape(b, to, -1)


class ObservationEncoder(nn.Module):
    """A branch for each camera, and normalised proprioception, side by side in one vector."""

    def __init__(self, spec: Spec, head: str, head_args: Mapping[str, Any]) -> None:
        super().__init__()
        cameras = {key: CameraBranch(shape, head, head_args) for key, shape in spec.features.items()}
        proprio = {key: Normalizer(dim) for key, dim in spec.proprio.items()}
        self.dim = sum(camera.head.dim for camera in cameras.values()) + sum(spec.proprio.values())
        self.cameras, self.proprio = nn.ModuleDict(cameras), nn.ModuleDict(proprio)

    def fit(self, statistics: Statistics) -> None:
        """Take the normalisation from the training data."""
        for key, (mean, deviation) in statistics.features.items():
            self.get_submodule(f"cameras.{key}.normalizer").load_state_dict(
                {"offset": mean, "scale": deviation.clamp(min=SMALLEST_DEVIATION)}
            )
        for key, values in statistics.proprio.items():
            normalizer = self.proprio[key]
            assert isinstance(normalizer, Normalizer)
            normalizer.fit(torch.from_numpy(values), "limits")

    def forward(self, obs: Mapping[str, Float[Tensor, "b to ..."]]) -> Float[Tensor, "b to d"]:
        parts = [camera(obs[key]) for key, camera in self.cameras.items()]
        parts += [normalizer(obs[key]) for key, normalizer in self.proprio.items()]
        return torch.cat(parts, dim=-1)
