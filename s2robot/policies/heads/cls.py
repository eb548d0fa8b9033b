"""The encoder's own summary of an image: its prefix tokens (class token, registers)."""

from jaxtyping import Float
from torch import Tensor, nn

from s2robot.errors import UserError
from s2robot.policies.heads.base import CameraShape, Head, check_sizes


class Cls(Head):
    """All prefix tokens, each normalised over its channels, then one linear layer. The map is not read.

    Their statistics are not the map's, so they get a layer norm. Raises `UserError` for encoders without.
    """

    reads_prefix = True

    def __init__(self, shape: CameraShape, dim: int = 64) -> None:
        super().__init__(shape)
        check_sizes(dim=dim)
        if shape.prefix is None:
            raise UserError(
                "policy.head=cls reads prefix tokens, which the features of this encoder have not; "
                "choose another head, e.g. policy.head=mean"
            )
        tokens, channels = shape.prefix
        self.dim = dim
        self.norm = nn.LayerNorm(channels)
        self.project = nn.Linear(tokens * channels, dim)

    def forward(
        self,
        features: Float[Tensor, "b c gh gw"],
        prefix: Float[Tensor, "b p c2"] | None = None,
        proprio: Float[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b d"]:
        assert prefix is not None
        return self.project(self.norm(prefix.float()).flatten(1))
