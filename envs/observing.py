"""What environments share that observe through cameras: images on demand, checks of image arguments."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

Observation = dict[str, Any]  # key -> array


class ObservingEnv(gymnasium.Env[Observation, np.ndarray]):
    """An environment that renders in `reset` and `step`, or only when its `observe` is called.

    A subclass sets `image_size` and `camera_names`, says how it observes, and then `observation_space` from
    `observed_space()`.
    """

    image_size: tuple[int, int]
    camera_names: tuple[str, ...]
    farthest: ClassVar[float] = np.inf  # bound of every number observed
    _images_in_step = True

    def observe(self, cameras: tuple[str, ...] | None = None) -> Observation:
        """The current state as observed: everything low-dimensional and images of `cameras` (None: all).

        Raises ValueError for a camera this environment was not made with.
        """
        raise NotImplementedError

    @property
    def images_in_step(self) -> bool:
        """Whether `reset` and `step` render; if not, observations and their space have no images."""
        return self._images_in_step

    @images_in_step.setter
    def images_in_step(self, on: bool) -> None:
        self._images_in_step = on
        self.observation_space = self.observed_space()

    def step_observation(self) -> Observation:
        """What `reset` and `step` return."""
        return self.observe(None if self._images_in_step else ())

    def observed_space(self) -> spaces.Dict:
        """The space of `step_observation()`."""
        image = spaces.Box(0, 255, (*self.image_size, 3), np.uint8)
        images = {f"{name}_image": image for name in self.camera_names if self._images_in_step}
        vectors = {
            key: spaces.Box(-self.farthest, self.farthest, value.shape, np.float64)
            for key, value in self.observe(cameras=()).items()
        }
        return spaces.Dict({**images, **vectors})


def known_cameras(cameras: Sequence[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """`cameras` (None: all that are known) as a tuple. Raises ValueError for one that is not known."""
    if cameras is None:
        return known
    cameras = (cameras,) if isinstance(cameras, str) else tuple(cameras)
    for name in cameras:
        if name not in known:
            raise ValueError(f"unknown camera {name!r}; known: {', '.join(known)}")
    return cameras


def height_width(image_size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) of an image size argument. Raises ValueError for what is none."""
    pair: Any = (image_size, image_size) if isinstance(image_size, Integral) else image_size
    if not isinstance(pair, Sequence) or len(pair) != 2 or not all(is_positive(n) for n in pair):
        raise ValueError(f"image_size is {image_size!r}; it must be a positive integer or (height, width)")
    return int(pair[0]), int(pair[1])


def is_positive(number: object) -> bool:
    """Whether this is a whole number above 0, and no truth value."""
    return isinstance(number, Integral) and not isinstance(number, bool) and int(number) > 0
