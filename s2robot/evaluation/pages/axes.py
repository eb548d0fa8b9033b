"""The scale of a chart's axis: its range, its ticks, and where a value lies on it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

TICKS = 4  # about so many
WIDE = 20  # ratio of the largest to the smallest value, from which on positive values are drawn by decades
NEAR_ZERO = 0.5  # of the largest value: a smallest one below it lets the axis begin at zero
LONG = 6  # digits before the point from which on a number is written with an exponent


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, linear or logarithmic."""

    low: float
    high: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value lies, 0 at `low` and 1 at `high`."""
        low, high, value = (
            math.log10(one) if self.logarithmic else one for one in (self.low, self.high, value)
        )
        return (value - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round numbers within the range; the decades of a logarithmic one."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**i for i in range(first, last + 1, max(1, -(-(last - first) // TICKS)))]
        step = _round_step((self.high - self.low) / TICKS)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]


def fitting(values: Iterable[float], *, may_be_logarithmic: bool = False) -> Axis:
    """An axis that holds all values, with a little room above; decades for a wide range of positive ones."""
    found = list(values)
    low, high = min(found), max(found)
    if may_be_logarithmic and low > 0 and high / low > WIDE:
        return Axis(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)), True)
    if 0 <= low < NEAR_ZERO * high:
        low = 0.0
    if low == high:
        low, high = low - (abs(low) / 2 or 0.5), high + (abs(high) / 2 or 0.5)
    room = 0.05 * (high - low)
    return Axis(low if low == 0 else low - room, high + room)


def exactly(values: Iterable[float]) -> Axis:
    """An axis from the smallest value to the largest, for steps."""
    found = list(values)
    low, high = min(found), max(found)
    return Axis(0.0 if low > 0 else low, high if high > low else low + 1.0)


def text(value: float) -> str:
    """A number on an axis, short: 0.25, 3000, 2e-5."""
    if value and (abs(value) >= 10**LONG or abs(value) < 1e-3):
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def _round_step(rough: float) -> float:
    """1, 2 or 5 times a power of ten, about `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next((k * power for k in (1, 2, 5) if k * power >= rough), 10 * power)
