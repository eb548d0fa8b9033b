"""Learned keypoints: where something is, and nothing else."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.policies.float32 import in_float32
from s2robot.policies.heads.base import CameraShape, Head, check_sizes
from s2robot.policies.heads.expectation import distribution, expected_places
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
        if self.around is not None:
            return expected_places(*self._scored(features, self.around), self.grid).flatten(1)
        with in_float32(features):
            return (self.look(features) @ self.grid).flatten(1)  # b k 2 -> b d

    def look(
        self, features: Float[Tensor, "b c gh gw"], proprio: Float[Tensor, "b s"] | None = None
    ) -> Float[Tensor, "b k n"]:
        """The distribution of each keypoint over the cells."""
        if self.around is not None:
            return distribution(*self._scored(features, self.around))
        return F.softmax(self.cells(self.score, features, self.log_temperature.exp()), dim=-1)

    def _scored(
        self, features: Float[Tensor, "b c gh gw"], around: nn.Sequential
    ) -> tuple[Float[Tensor, "b h n"], Float[Tensor, "k h"], Float[Tensor, "k"]]:
        """The hidden layer that sees the cells around, and the linear layer on what its ReLU leaves."""
        hidden = around[:2](self.channels_last(self.score, features))  # b h gh gw
        gain, last = self.log_temperature.exp(), around[3]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        return hidden.flatten(2), gain * last.weight.flatten(1), gain[:, 0] * last.bias


def _around(hidden: int, keypoints: int) -> nn.Sequential:
    """From the hidden channels of each cell and its neighbours to a score for each keypoint."""
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(hidden, hidden, 3, padding=1), nn.ReLU(), nn.Conv2d(hidden, keypoints, 1)
    )
