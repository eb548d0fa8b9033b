"""Inputs of policies that benchmarks put together themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from s2robot.types import Features, Observation


@dataclass(frozen=True)
class Made:
    """Demonstrations without proprioception, for `Windows`."""

    offsets: np.ndarray  # first frame of each, and the end
    values: np.ndarray  # actions "n da"

    def proprioception(self) -> dict[str, np.ndarray]:
        return {}

    def actions(self) -> np.ndarray:
        return self.values

    def executed_actions(self) -> None:
        return None


def stacked(history: Sequence[Observation]) -> Observation:
    """Observations of one step each, "1 ...", as one of all steps, "1 to ..."; without prefix tokens."""
    cameras, keys = history[0].features, history[0].proprio
    return Observation(
        {name: Features(torch.stack([one.features[name].map for one in history], 1)) for name in cameras},
        {key: torch.stack([one.proprio[key] for one in history], 1) for key in keys},
    )
