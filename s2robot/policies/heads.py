"""Heads: what is trained on top of the frozen feature grid, one for each camera.

A head turns a standardised feature map "b c gh gw" into a vector "b d". Peers hand the policy one
pooled vector of a frozen encoder; keeping the grid and training the pooling is what closes the gap.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.errors import Registry

HEADS: Registry[type["Head"]] = Registry("policy head")


class Head(nn.Module):
    """Contract of a head: built from the shape of the map; `dim` is the length of its vector."""

    dim: int

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, features: Float[Tensor, "b c gh gw"]) -> Float[Tensor, "b d"]:
        raise NotImplementedError


class Mean(Head):
    """Global average pooling followed by one linear layer: the baseline that loses where things are."""

    def __init__(self, shape: tuple[int, int, int], dim: int = 64) -> None:
        super().__init__(shape)
        self.dim = dim
        self.project = nn.Linear(shape[0], dim)

    def forward(self, features: Float[Tensor, "b c gh gw"]) -> Float[Tensor, "b d"]:
        return self.project(features.mean(dim=(-2, -1)))


class SpatialSoftmax(Head):
    """Expected image coordinates of learned keypoints, in [-1, 1].

    "Deep Spatial Autoencoders for Visuomotor Learning", arXiv 1509.06113; the keypoints are read
    from the channels by a 1x1 convolution and the temperature is learned for each of them.
    """

    grid: Tensor

    def __init__(self, shape: tuple[int, int, int], keypoints: int = 64) -> None:
        super().__init__(shape)
        channels, height, width = shape
        self.dim = 2 * keypoints
        self.score = nn.Conv2d(channels, keypoints, kernel_size=1)
        self.log_temperature = nn.Parameter(torch.zeros(keypoints, 1))
        rows, columns = torch.meshgrid(_centres(height), _centres(width), indexing="ij")
        self.register_buffer("grid", torch.stack([columns, rows], -1).reshape(-1, 2), persistent=False)

    def forward(self, features: Float[Tensor, "b c gh gw"]) -> Float[Tensor, "b d"]:
        scores = self.score(features).flatten(-2)  # b k n
        attention = F.softmax(scores * self.log_temperature.exp(), dim=-1)
        return (attention @ self.grid).flatten(1)  # b k 2 -> b d


def _centres(cells: int) -> Float[Tensor, "cells"]:
    """Centres of equal cells that cover [-1, 1]."""
    return (torch.arange(cells) + 0.5) * 2 / cells - 1


HEADS["mean"] = Mean
HEADS["spatial_softmax"] = SpatialSoftmax
