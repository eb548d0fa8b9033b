"""Learned keypoints: where something is, and nothing else."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.policies.heads.base import CameraShape, Head
from s2robot.policies.heads.positions import cell_centres


class SpatialSoftmax(Head):
    """Expected image coordinates of learned keypoints, in [-1, 1].

    "Deep Spatial Autoencoders for Visuomotor Learning", arXiv 1509.06113; the keypoints are read
    from the channels of each cell by one linear layer and the temperature is learned for each of them.
    """

    gives_keypoints = True
    grid: Tensor

    def __init__(self, shape: CameraShape, keypoints: int = 64) -> None:
        super().__init__(shape)
        self.dim = 2 * keypoints
        self.score = nn.Linear(shape.channels, keypoints)
        self.log_temperature = nn.Parameter(torch.zeros(keypoints, 1))
        self.register_buffer("grid", cell_centres(shape.grid), persistent=False)

    def forward(
        self,
        features: Float[Tensor, "b c gh gw"],
        prefix: Float[Tensor, "b p c2"] | None = None,
        proprio: Float[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b d"]:
        return (self.look(features) @ self.grid).flatten(1)  # b k 2 -> b d

    def look(
        self, features: Float[Tensor, "b c gh gw"], proprio: Float[Tensor, "b s"] | None = None
    ) -> Float[Tensor, "b k n"]:
        """The distribution of each keypoint over the cells."""
        scores = self.cells(self.score, features, self.log_temperature.exp())
        return F.softmax(scores, dim=-1)
