"""Foreseeing proprioception: where the robot will be a few steps from now, and at the end of the episode.

Actions say little about where a motion leads: a far goal only gives them their direction. The robot's own
later positions in a demonstration say it exactly, in every frame, and every dataset has them. Predicted
beside the actions they teach the head where goals are; what was foreseen is given to the policy as well,
as it is and relative to where the robot is now. Related: the next keyframe of "Perceiver-Actor",
arXiv 2209.05451.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

HIDDEN = 256


class Foresight(nn.Module):
    """A perceptron from a policy's observation to normalised proprioception at later times."""

    def __init__(self, observed: int, proprio: int, times: int) -> None:
        super().__init__()
        self.times = times
        self.dim = 2 * times * proprio  # length of what `forward` adds
        self.net = nn.Sequential(nn.Linear(observed, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, times * proprio))

    def forward(
        self, observed: Float[Tensor, "b d"], now: Float[Tensor, "b p"]
    ) -> tuple[Float[Tensor, "b tf p"], Float[Tensor, "b d2"]]:
        """What is foreseen from what is observed, and what the policy reads besides."""
        change = self.net(observed).unflatten(1, (self.times, -1))
        foreseen = now[:, None] + change
        return foreseen, torch.cat([foreseen, change], dim=1).flatten(1)
