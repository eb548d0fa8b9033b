"""Learned queries that look at the grid."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.errors import UserError
from s2robot.policies.heads.base import CameraShape, Head
from s2robot.policies.heads.positions import POSITION_FEATURES, position_features


class Attention(Head):
    """Cross-attention of learned queries over the cells, which carry a 2-D position embedding.

    The attention pooling of "Set Transformer", arXiv 1810.00825, over one grid. With `proprio` the queries
    also depend on proprioception: where to look may follow the gripper.
    """

    positions: Tensor

    def __init__(
        self,
        shape: CameraShape,
        queries: int = 8,
        width: int = 64,
        attention_heads: int = 4,
        proprio: bool = False,
    ) -> None:
        super().__init__(shape)
        if width % attention_heads:
            raise UserError(
                f"policy.head_args: width={width} must be divisible by {attention_heads} attention_heads"
            )
        if proprio and not shape.proprio:
            raise UserError("policy.head_args.proprio=true needs proprioception (data.proprio is empty)")
        self.attention_heads, self.reads_proprio = attention_heads, proprio
        self.dim = queries * width
        self.project = nn.Linear(shape.channels, width)
        self.place = nn.Linear(POSITION_FEATURES, width, bias=False)
        self.norm = nn.LayerNorm(width)
        self.key_value = nn.Linear(width, 2 * width)
        self.queries = nn.Parameter(torch.randn(queries, width))
        self.condition = nn.Linear(shape.proprio, queries * width) if proprio else None
        self.register_buffer("positions", position_features(shape.grid), persistent=False)

    def forward(
        self,
        features: Float[Tensor, "b c gh gw"],
        prefix: Float[Tensor, "b p c"] | None = None,
        proprio: Float[Tensor, "b d"] | None = None,
    ) -> Float[Tensor, "b d"]:
        cells = self.cells(self.project, features).transpose(1, 2)  # b n w
        cells = self.norm(cells + self.place(self.positions))
        key, value = self._split(self.key_value(cells)).chunk(2, dim=-1)  # b heads n w/heads
        queries = self.queries.expand(len(cells), -1, -1)  # b q w
        if self.condition is not None:
            queries = queries + self.condition(proprio).view_as(queries)
        seen = F.scaled_dot_product_attention(self._split(queries), key, value)  # b heads q w/heads
        return seen.transpose(1, 2).flatten(1)

    def _split(self, values: Float[Tensor, "b n w"]) -> Float[Tensor, "b heads n w2"]:
        return values.unflatten(2, (self.attention_heads, -1)).transpose(1, 2)
