"""The contract of a head, and the layer that most of them begin with."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from s2robot.errors import UserError
from s2robot.policies.heads.standardized import standardized_linear
from s2robot.policies.normalizer import Normalizer

SMALLEST_DEVIATION = 1e-6  # of a feature channel
SMALLEST_RATIO = 1e-3  # of a channel's deviation to its mean: less is the rounding of float16


def check_sizes(least: int = 1, **sizes: Any) -> None:
    """Raise `UserError` for the first of a head's arguments that is no whole number from `least` on."""
    for name, size in sizes.items():
        if type(size) is not int or size < least:  # true counts as 1 otherwise
            raise UserError(f"policy.head_args.{name}={size} must be a whole number from {least} on")


@dataclass(frozen=True)
class CameraShape:
    """What a head is built from: the shapes of what it will be given."""

    channels: int
    grid: tuple[int, int]  # gh gw
    scales: int = 1  # how many scales' channels stand one behind the other in `channels`
    prefix: tuple[int, int] | None = None  # (p, c) of the prefix tokens, of encoders that have them
    proprio: int = 0  # length of the normalised proprioception


class Head(nn.Module):
    """Frozen features of one camera in, a vector (or tokens) of length `dim` out.

    A head whose class says `gives_tokens` returns "b n dim" and declares `tokens` (n) besides. Only a head
    whose class says `reads_prefix` is given prefix tokens, and only one with `reads_proprio` proprioception.
    """

    gives_tokens: ClassVar[bool] = False
    reads_prefix: ClassVar[bool] = False
    reads_proprio: bool = False
    gives_keypoints: ClassVar[bool] = False  # what `look` weighs is a place each
    tokens: int = 1
    dim: int

    def __init__(self, shape: CameraShape) -> None:
        super().__init__()
        self.shape = shape
        self.normalizer = Normalizer(shape.channels)

    def forward(
        self,
        features: Float[Tensor, "b c gh gw"],  # as stored: any float dtype, not standardised
        prefix: Float[Tensor, "b p c2"] | None = None,
        proprio: Float[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b *n dim"]:
        raise NotImplementedError

    def look(
        self, features: Float[Tensor, "b c gh gw"], proprio: Float[Tensor, "b s"] | None = None
    ) -> Float[Tensor, "b k n"] | None:
        """How much each keypoint or query weighs each of the gh gw = n cells; None without weights."""
        return None

    def fit(self, mean: Float[Tensor, "c"], deviation: Float[Tensor, "c"]) -> None:
        """Take the statistics of the map's channels; a channel that is constant is not blown up."""
        least = (SMALLEST_RATIO * mean.abs()).clamp(min=SMALLEST_DEVIATION)
        self.normalizer.load_state_dict({"offset": mean, "scale": deviation.maximum(least)})

    def cells(
        self,
        linear: nn.Linear,
        features: Float[Tensor, "b c gh gw"],
        gain: Float[Tensor, "k 1"] | None = None,
    ) -> Float[Tensor, "b k n"]:
        """`linear` of the standardised features of each of the gh gw = n cells, times `gain`."""
        mean, deviation = self.normalizer.offset, self.normalizer.scale
        return standardized_linear(linear, mean, deviation, features.flatten(2), gain)

    def channels_last(
        self, linear: nn.Linear, features: Float[Tensor, "b c gh gw"]
    ) -> Float[Tensor, "b k gh gw"]:
        """The same for convolutions, in the layout (channels last) in which they are fastest on a CPU."""
        mean, deviation = self.normalizer.offset, self.normalizer.scale
        cells = standardized_linear(linear, mean, deviation, features.flatten(2), cell_by_cell=True)
        return cells.unflatten(2, features.shape[2:])
