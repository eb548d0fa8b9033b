"""Global average pooling: the baseline that loses where things are."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.policies.heads.base import CameraShape, Head, check_sizes


class Mean(Head):
    """The mean of all cells, then one linear layer."""

    def __init__(self, shape: CameraShape, dim: int = 64) -> None:
        super().__init__(shape)
        check_sizes(dim=dim)
        self.dim = dim
        self.project = nn.Linear(shape.channels, dim)

    def forward(
        self,
        features: Float[Tensor, "b c gh gw"],
        prefix: Float[Tensor, "b p c2"] | None = None,
        proprio: Float[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b d"]:
        pooled = features.mean(dim=(-2, -1), dtype=torch.float32)
        return self.project(self.normalizer(pooled))
