"""Inputs of policies that benchmarks put together themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from s2robot.types import CameraSpec, Features, Observation, Spec, image_key

CAMERAS = ("agentview", "robot0_eye_in_hand")


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


def two_cameras(features: tuple[int, int, int], scales: int = 1, env_id: str = "") -> Spec:
    """Two 448-pixel cameras with `features` (c, gh, gw), the usual proprioception, actions of 7 numbers."""
    return Spec(
        env_id=env_id,
        env_kwargs={},
        action_dim=7,
        proprio={"robot0_eef_pos": 3, "robot0_eef_quat": 4, "robot0_gripper_qpos": 2},
        cameras={name: CameraSpec(image_key(name), (448, 448), features, scales) for name in CAMERAS},
    )


def stacked(history: Sequence[Observation]) -> Observation:
    """Observations of one step each, "1 ...", as one of all steps, "1 to ..."; without prefix tokens."""
    cameras, keys = history[0].features, history[0].proprio
    return Observation(
        {name: Features(torch.stack([one.features[name].map for one in history], 1)) for name in cameras},
        {key: torch.stack([one.proprio[key] for one in history], 1) for key in keys},
    )
