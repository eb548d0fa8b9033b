"""A real Gymnasium environment in a few lines: move a dot to the right edge, seen by two small cameras.

It writes what happens to it into `log`, one word a line, and can be told to misbehave on a seed.
"""

import os
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict

SIZES = {"agentview": (8, 12), "wrist": (6, 6)}


class TinyEnv(gymnasium.Env):
    metadata = {"render_modes": [], "render_fps": 5}  # noqa: RUF012
    _low_dim_spaces = {"pos": Box(-1, 1, (2,), np.float32), "goal": Box(-1, 1, (1, 4))}  # noqa: RUF012

    def __init__(
        self, log: str = "", trouble: str = "", trouble_seed: int = -1, once: str = "", says: str = ""
    ) -> None:
        self.says = says
        self.log, self.trouble, self.trouble_seed, self.once = log, trouble, trouble_seed, once
        images: dict[str, gymnasium.Space[Any]] = {
            f"{name}_image": Box(0, 255, (*size, 3), np.uint8) for name, size in SIZES.items()
        }
        self.observation_space = Dict(images | self._low_dim_spaces)
        self.action_space = Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple:
        super().reset(seed=seed)
        self.seed, self.count = seed, 0
        self.pos = self.np_random.uniform(-1, 0.5, 2)
        self._tell(f"reset:{seed}")
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple:
        self.count += 1
        self._tell(f"step:{action[0]:.6f}")
        if self.count == 3 and self.seed == self.trouble_seed:
            self._misbehave()
        self.pos = np.clip(self.pos + 0.2 * action, -1, 1)
        success = bool(self.pos[0] > 0.8)
        done = success or self.count >= 20
        return self._observe(), float(self.pos[0]), success, self.count >= 20, self._info(success, done)

    def _info(self, success: bool, done: bool) -> dict[str, Any]:
        """How success is said, by the name of the way."""
        ways: dict[str, dict[str, Any]] = {
            "never": {},
            "none": {"success": None},
            "text": {"success": str(success)},
            "vector": {"success": np.array([success, success])},
            "array": {"success": np.array([success])},
            "robomimic": {"is_success": {"task": success}},
            "final": {"success": success} if done else {},
        }
        return ways.get(self.says, {"success": success})

    def close(self) -> None:
        self._tell("close")

    def _observe(self) -> dict[str, np.ndarray]:
        return self._low_dim() | {f"{name}_image": self.image(name) for name in SIZES}

    def _low_dim(self) -> dict[str, np.ndarray]:
        return {"pos": self.pos.astype(np.float32), "goal": np.zeros((1, 4), np.float32)}

    def image(self, camera: str) -> np.ndarray:
        """All of it in the grey of the x position, the top row in that of y, red counting steps."""
        self._tell(f"render:{camera}:{self.count}")
        image = np.full((*SIZES[camera], 3), 127 * (self.pos[0] + 1), np.uint8)
        image[0] = 127 * (self.pos[1] + 1)
        image[..., 0] = self.count
        return image

    def _misbehave(self) -> None:
        if self.once:
            if Path(self.once).exists():
                return
            Path(self.once).touch()
        if self.trouble == "exit":
            os._exit(7)
        if self.trouble == "hang":
            time.sleep(600)
        if self.trouble == "slow":
            return time.sleep(2)
        raise RuntimeError("the arm fell off")

    def _tell(self, word: str) -> None:
        if self.log:
            with Path(self.log).open("a") as file:
                file.write(word + "\n")


class TinyLazyEnv(TinyEnv):
    """The same, rendering only what it is asked for."""

    images_in_step = True

    def _observe(self) -> dict[str, np.ndarray]:
        if self.images_in_step:
            return super()._observe()
        return self._low_dim()

    def observe(self, cameras: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
        return {f"{name}_image": self.image(name) for name in cameras or SIZES}


gymnasium.register("Tiny-v0", f"{__name__}:TinyEnv")
gymnasium.register("TinyLazy-v0", f"{__name__}:TinyLazyEnv")

TINY, LAZY = f"{__name__}:Tiny-v0", f"{__name__}:TinyLazy-v0"
