"""`tiny_env` under other observation keys, and with frames whose top row is last."""

from typing import Any, ClassVar

import gymnasium
import numpy as np

from tests.rollouts.tiny_env import TinyEnv, TinyLazyEnv

OTHERS = {"agentview_image": "agentview_rgb", "wrist_image": "wrist_image", "pos": "dot", "goal": "goal"}


class Renamed(TinyEnv):
    """Other keys, other orientation."""

    _names: ClassVar[dict[str, str]] = OTHERS

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        observed: Any = self.observation_space
        self.observation_space = gymnasium.spaces.Dict(
            {self._names[k]: one for k, one in observed.spaces.items()}
        )

    def _observe(self) -> dict[str, np.ndarray]:
        return {self._names[key]: value for key, value in super()._observe().items()}

    def image(self, camera: str) -> np.ndarray:
        return np.flip(super().image(camera), 0)


class Mirrored(TinyLazyEnv):
    """Renders what it is asked for, with the top row last."""

    def image(self, camera: str) -> np.ndarray:
        return np.flip(super().image(camera), 0)


gymnasium.register("Renamed-v0", f"{__name__}:Renamed")
gymnasium.register("Mirrored-v0", f"{__name__}:Mirrored")
RENAMED, MIRRORED = f"{__name__}:Renamed-v0", f"{__name__}:Mirrored-v0"
