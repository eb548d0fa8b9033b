"""The grid itself, for policies that are transformers."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.policies.heads.base import CameraShape, Head, check_sizes
from s2robot.policies.heads.positions import POSITION_FEATURES, position_features
from s2robot.policies.heads.standardized import standardized_linear


class Tokens(Head):
    """One token for each cell and scale, with embeddings of the cell's 2-D position and of the scale.

    The channels of a scale have a linear layer of their own. A grid of more than `cells` cells a side is
    averaged over areas to that first: attention costs the square of the number of tokens.
    """

    gives_tokens = True
    positions: Tensor

    def __init__(self, shape: CameraShape, dim: int = 128, cells: int = 7) -> None:
        super().__init__(shape)
        check_sizes(dim=dim, cells=cells)
        self.dim = dim
        self.grid = (min(cells, shape.grid[0]), min(cells, shape.grid[1]))
        self.tokens = shape.scales * self.grid[0] * self.grid[1]
        own = shape.channels // shape.scales
        self.project = nn.ModuleList(nn.Linear(own, dim) for _ in range(shape.scales))
        self.scale = nn.Parameter(0.02 * torch.randn(shape.scales, dim))
        self.place = nn.Linear(POSITION_FEATURES, dim, bias=False)
        self.norm = nn.LayerNorm(dim)
        self.register_buffer("positions", position_features(self.grid), persistent=False)

    def forward(
        self,
        features: Float[Tensor, "b c gh gw"],
        prefix: Float[Tensor, "b p c2"] | None = None,
        proprio: Float[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        if self.grid != self.shape.grid:
            features = F.adaptive_avg_pool2d(features, self.grid)
        maps = features.flatten(2).chunk(self.shape.scales, dim=1)  # scales x: b c n
        offsets, deviations = (
            statistic.chunk(self.shape.scales)
            for statistic in (self.normalizer.offset, self.normalizer.scale)
        )
        places = self.place(self.positions)  # n d
        tokens = []
        for i, linear in enumerate(self.project):
            cells = standardized_linear(linear, offsets[i], deviations[i], maps[i])  # b d n
            tokens.append(cells.transpose(1, 2) + places + self.scale[i])
        return self.norm(torch.cat(tokens, dim=1))
