"""How an environment observes what a policy reads: under which keys, and which way up. Imports no PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ObservationMapping:
    """From a policy's observation keys to an environment's; what is not named is called and stored alike."""

    keys: Mapping[str, str] = field(default_factory=dict)  # the policy's key -> the environment's
    flips: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # the environment's key of a camera ->
    # axes of (h, w, 3) along which its frames are flipped to have the top row first

    @property
    def told(self) -> str:
        """A line for the user where frames are flipped, else ""."""
        cameras = ", ".join(self.flips)
        return f"frames of {cameras} are flipped to be upright (env.orientation)" if cameras else ""

    def key(self, wanted: str) -> str:
        """The environment's key of what a policy observes under `wanted`."""
        return self.keys.get(wanted, wanted)

    def upright(self, obs: Mapping[str, Any]) -> dict[str, Any]:
        """An environment's observation, by its own keys, with the top row of each frame first."""
        flipped = {key: np.flip(obs[key], axes) for key, axes in self.flips.items() if key in obs}
        return {**obs, **flipped}
