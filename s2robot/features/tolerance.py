"""How far apart two backends of one precision may be, and how that is measured.

Float32 differs by the order of additions: a number that is off by two thousandths of the largest is damage.
Half precisions round every intermediate result, and backends do that at different places (some keep
float32 between operations). Single numbers then differ by as much as a slight change of the
preprocessing makes them differ, but at random, so the root mean square over a map is compared.

Measured over backends (eager autocast, OpenVINO's bfloat16, rounded weights with float32 arithmetic,
everything rounded), Lite0 and Lite2: float16 up to 0.008, bfloat16 up to 0.078. Frames that are not
antialiased: 0.15; another mean and deviation: 0.4; a wrong scale: 0.33; flipped: 1.2.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Tolerance:
    """The largest difference that is allowed, and what it is relative to."""

    limit: float
    of_the_largest: bool  # the largest difference to the largest number; else both root mean squares

    @property
    def unit(self) -> str:
        """What a difference is a part of."""
        return "the largest" if self.of_the_largest else "their root mean square"

    def difference(self, found: Tensor, stored: Tensor) -> float:
        """Of two tensors of the same shape; NaN where one holds NaN."""
        expected = stored.float()
        off = found.float() - expected
        if self.of_the_largest:
            return float(off.abs().max() / expected.abs().max())
        return float(off.norm() / expected.norm())


# float16 rounds what is stored to 5e-4, and backends in float32 differ by up to 1e-3
TOLERANCES = {
    "float32": Tolerance(2e-3, of_the_largest=True),
    "float16": Tolerance(2e-2, of_the_largest=False),
    "bfloat16": Tolerance(0.12, of_the_largest=False),
}
