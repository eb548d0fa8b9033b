"""A trained policy in the episodes of a diagnosis."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import s2robot


class FromRun:
    """Decides as the policy of a run folder or a checkpoint does; it is asked for one action a step."""

    def __init__(self, run: Path) -> None:
        self._policy = s2robot.load_policy(run)

    def begin(self, seed: int) -> "FromRun":
        """Of an episode; the seed is that of its noise."""
        self._policy.reset(seed)
        return self

    def __call__(self, task: Any, obs: Mapping[str, np.ndarray]) -> np.ndarray:
        seen = task.observe()
        return self._policy.act({key: seen[key] for key in self._policy.inputs})[None]
