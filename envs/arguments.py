"""Checks of the arguments that environments share."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

MOST_PIXELS = (
    2048  # of a side: a dataset or a checkpoint, which come from anyone, may say how large to render
)


def known_cameras(cameras: Sequence[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """`cameras` (None: all that are known) as a tuple. Raises ValueError for one that is not known."""
    if cameras is None:
        return known
    cameras = (cameras,) if isinstance(cameras, str) else tuple(cameras)
    for name in cameras:
        if name not in known:
            raise ValueError(f"unknown camera {name!r}; known: {', '.join(known)}")
    return cameras


def height_width(image_size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) of an image size argument. Raises ValueError for what is none."""
    pair: Any = (image_size, image_size) if isinstance(image_size, Integral) else image_size
    if not isinstance(pair, Sequence) or len(pair) != 2 or not all(is_positive(n) for n in pair):
        raise ValueError(f"image_size is {image_size!r}; it must be a positive integer or (height, width)")
    if max(pair) > MOST_PIXELS:
        raise ValueError(f"image_size is {image_size!r}; a side has at most {MOST_PIXELS} pixels")
    return int(pair[0]), int(pair[1])


def is_positive(number: object) -> bool:
    """Whether this is a whole number above 0, and no truth value."""
    return isinstance(number, Integral) and not isinstance(number, bool) and int(number) > 0


def check_metres(name: str, value: float, low: float, high: float) -> None:
    """Raises ValueError naming the argument unless it is from `low` to `high`."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must be {low} to {high} m")


def substeps_of(control_freq: int, timestep_s: float) -> int:
    """Physics steps in a control step. Raises ValueError unless `control_freq` (Hz) divides their rate."""
    physics_freq = round(1 / timestep_s)
    if not is_positive(control_freq) or physics_freq % control_freq:
        raise ValueError(f"control_freq is {control_freq!r}; it must divide {physics_freq}, the physics rate")
    return physics_freq // int(control_freq)
