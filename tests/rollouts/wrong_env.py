"""`tiny_env` that does one thing wrong."""

import sys
from typing import Any

import gymnasium
import numpy as np

from tests.rollouts.tiny_env import TinyEnv


class Wrong(TinyEnv):
    """`wrong` says what."""

    def __init__(self, wrong: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wrong = wrong
        if wrong == "constructor":
            raise RuntimeError("no init\nsecond line")
        if wrong == "fps":
            self.metadata = {"render_fps": "twenty"}
        if wrong == "integers":
            self.action_space = gymnasium.spaces.Box(-100, 100, (2,), np.int32)

    def reset(self, **kwargs: Any) -> Any:
        if self.wrong == "no seed":
            raise TypeError("Wrong.reset() got an unexpected keyword argument 'seed'")
        given: Any = super().reset(**kwargs)
        return given[0] if self.wrong == "old reset" else given

    def step(self, action: np.ndarray) -> tuple:
        if self.wrong == "exit":
            sys.exit(3)
        obs, reward, terminated, truncated, info = super().step(action)
        answers: dict[str, tuple] = {
            "old step": (obs, reward, terminated, info),
            "no info": (obs, reward, terminated, truncated, None),
            "two rewards": (obs, np.zeros(2), terminated, truncated, info),
            "no reward": (obs, None, terminated, truncated, info),
            "reward in an array": (obs, np.array([reward]), terminated, truncated, info),
        }
        return answers.get(self.wrong, (obs, reward, terminated, truncated, info))

    def close(self) -> None:
        if self.wrong == "close":
            raise RuntimeError("close fails")

    def _observe(self) -> dict[str, Any]:
        obs: dict[str, Any] = super()._observe()
        frame = obs["agentview_image"]
        if self.wrong == "harmless":
            obs["pos"] = self.pos.astype(np.float32).tolist()
        if self.wrong == "nan" and self.count == 3:
            obs["pos"][1] = np.nan
        changes = {
            "float frame": {"agentview_image": frame / 255},
            "grey frame": {"agentview_image": frame[..., :1]},
            "batch": {"agentview_image": frame[None]},
            "one number": {"pos": 0.3},
            "text": {"pos": "abc"},
        }
        if self.wrong == "missing":
            del obs["agentview_image"]
        return {**obs, **changes.get(self.wrong, {})}


gymnasium.register("Wrong-v0", f"{__name__}:Wrong")
gymnasium.register("Limited-v0", f"{__name__}:Wrong", max_episode_steps=50)
WRONG, LIMITED = f"{__name__}:Wrong-v0", f"{__name__}:Limited-v0"
