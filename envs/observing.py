"""What environments share that observe through cameras: images are rendered in each step or on demand."""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

Observation = dict[str, Any]  # key -> array


class ObservingEnv(gymnasium.Env[Observation, np.ndarray]):
    """An environment that renders in `reset` and `step`, or only when its `observe` is called.

    A subclass sets `image_size` and `camera_names`, implements `observe`, and then sets `observation_space`
    from `observed_space()`.
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
