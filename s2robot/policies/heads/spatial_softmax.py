"""Learned keypoints: where something is, and nothing else."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.policies.heads.base import CameraShape, Head, check_sizes
from s2robot.policies.heads.positions import cell_centres


class SpatialSoftmax(Head):
    """Expected image coordinates of learned keypoints, in [-1, 1].

    "Deep Spatial Autoencoders for Visuomotor Learning", arXiv 1509.06113; the temperature is learned for each
    keypoint. They are read from the channels of each cell by one linear layer, or, with `hidden` channels,
    by a small convolutional network that sees the cells around as well: for what must be found to a
    fraction of a cell.
    """

    gives_keypoints = True
    grid: Tensor

    def __init__(self, shape: CameraShape, keypoints: int = 64, hidden: int = 0) -> None:
        super().__init__(shape)
        check_sizes(keypoints=keypoints)
        check_sizes(0, hidden=hidden)
        self.dim = 2 * keypoints
        self.score = nn.Linear(shape.channels, hidden or keypoints)
        self.around = _around(hidden, keypoints) if hidden else None
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
        gain = self.log_temperature.exp()
        if self.around is None:
            return F.softmax(self.cells(self.score, features, gain), dim=-1)
        maps = self.cells(self.score, features).unflatten(2, self.shape.grid)  # b h gh gw
        return F.softmax(self.around(maps).flatten(2) * gain, dim=-1)


def _around(hidden: int, keypoints: int) -> nn.Sequential:
    """From the hidden channels of each cell and its neighbours to a score for each keypoint."""
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(hidden, hidden, 3, padding=1), nn.ReLU(), nn.Conv2d(hidden, keypoints, 1)
    )
