"""What a row of the store holds: the map of a frame and, for encoders that have them, its prefix tokens."""

from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.types import Features


@dataclass(frozen=True)
class Row:
    """The numbers of the map, then those of the prefix tokens, each in the order of its axes."""

    map: tuple[int, int, int]  # c gh gw
    prefix: tuple[int, int] | None = None  # p c

    @property
    def numbers(self) -> int:
        """Numbers in a row."""
        return prod(self.map) + (prod(self.prefix) if self.prefix else 0)

    def join(self, features: Features) -> Float[Tensor, "b d"]:
        """A row for each frame."""
        rows = features.map.flatten(1)
        return rows if features.prefix is None else torch.cat([rows, features.prefix.flatten(1)], dim=1)

    def split(self, rows: Float[Tensor, "*b d"]) -> Features:
        """The features that were joined, as views of the rows."""
        cells = prod(self.map)
        prefix = rows[..., cells:].unflatten(-1, self.prefix) if self.prefix else None
        return Features(rows[..., :cells].unflatten(-1, self.map), prefix)
