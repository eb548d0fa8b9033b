"""What a policy is shown of an episode: its last observations. Imports no PyTorch."""

from collections import deque
from collections.abc import Mapping

import numpy as np


class History:
    """The last `steps` observations of an episode, the oldest first; the first one is repeated to fill it."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._rows: deque[Mapping[str, np.ndarray]] = deque(maxlen=steps)

    def start(self) -> None:
        """Forget the episode before."""
        self._rows.clear()

    def add(self, obs: Mapping[str, np.ndarray]) -> None:
        """Take note of an observation, whose arrays must not change afterwards."""
        self._rows.extend([obs] * (1 if self._rows else self.steps))

    def rows_now(self) -> tuple[Mapping[str, np.ndarray], ...]:
        """What it holds, for `restore`."""
        return tuple(self._rows)

    def restore(self, rows: tuple[Mapping[str, np.ndarray], ...]) -> None:
        """Hold again what `rows_now` gave."""
        self._rows = deque(rows, maxlen=self.steps)

    def write(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Copy the observations into arrays "to ..." of some of their keys."""
        for key, array in arrays.items():
            for row, obs in enumerate(self._rows):
                array[row] = obs[key]  # also of observations that are single numbers

    def rows(self, key: str) -> np.ndarray:
        """Those of a key, "to ..."."""
        return np.stack([obs[key] for obs in self._rows])
