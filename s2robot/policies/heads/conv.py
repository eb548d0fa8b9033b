"""A small convolutional network on the grid."""

from jaxtyping import Float
from torch import Tensor, nn

from s2robot.errors import UserError
from s2robot.policies.heads.base import CameraShape, Head, check_sizes

GROUPS = 8  # of the group norms


class Conv(Head):
    """Fewer channels (1x1), two 3x3 convolutions that halve the grid, one linear layer over what is left."""

    def __init__(self, shape: CameraShape, width: int = 64, dim: int = 64) -> None:
        super().__init__(shape)
        check_sizes(width=width, dim=dim)
        if width % GROUPS:
            raise UserError(f"policy.head_args: width={width} must be divisible by {GROUPS}")
        self.dim = dim
        self.project = nn.Linear(shape.channels, width)
        self.layers = nn.Sequential(_block(width, width), _block(width, width))
        rows, columns = ((side + 3) // 4 for side in shape.grid)
        self.last = nn.Linear(width * rows * columns, dim)

    def forward(
        self,
        features: Float[Tensor, "b c gh gw"],
        prefix: Float[Tensor, "b p c2"] | None = None,
        proprio: Float[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b d"]:
        maps = self.cells(self.project, features).unflatten(2, self.shape.grid)  # b w gh gw
        return self.last(self.layers(maps.relu()).flatten(1))


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1),
        nn.GroupNorm(GROUPS, channels_out),
        nn.ReLU(),
    )
