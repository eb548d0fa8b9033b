"""Environments of somebody else: PickCube at 64x64 without arguments, one that hardly moves, one with any."""

from typing import Any

import gymnasium
import numpy as np

import envs

PICK: Any = envs.KNOWN["s2robot/PickCube-v0"].env


class Other(PICK):
    """It has no arguments."""

    def __init__(self) -> None:
        super().__init__(image_size=64)


class Open(gymnasium.Env):
    """It takes any argument; only its constructor is looked at."""

    def __init__(self, **kwargs: Any) -> None:
        pass


class Small(Other):
    """Its actions are in metres."""

    def __init__(self) -> None:
        super().__init__()
        self.action_space = gymnasium.spaces.Box(-0.001, 0.001, (7,), np.float32)


for made in (Other, Open, Small):
    gymnasium.register(f"{made.__name__}-v0", f"{__name__}:{made.__name__}", max_episode_steps=4)
