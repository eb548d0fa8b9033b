"""A small network with noise and memory that acts in `tiny_env`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch


class TinyActor:
    obs_keys: tuple[str, ...] = ("agentview_image", "pos")

    def __init__(self, obs_steps: int = 2, action_steps: int = 3, action_dim: int = 2) -> None:
        self.obs_steps, self.action_steps, self.action_dim = obs_steps, action_steps, action_dim
        self.seen: list[dict[str, np.ndarray]] = []
        self.states: list[list[Any]] = []
        torch.manual_seed(0)
        self.net = torch.nn.Sequential(
            torch.nn.Linear(obs_steps * (8 * 12 * 3 + 2), 64),
            torch.nn.Tanh(),
            torch.nn.Linear(64, 5 * action_dim),
        )

    @torch.no_grad()
    def act(
        self, obs: Mapping[str, np.ndarray], states: Sequence[Any], generators: Sequence[torch.Generator]
    ) -> tuple[np.ndarray, list[Any]]:
        self.seen.append({key: value.copy() for key, value in obs.items()})
        self.states.append(list(states))
        image = torch.from_numpy(obs["agentview_image"]).flatten(1) / 255
        actions = self.net(torch.cat([image, torch.from_numpy(obs["pos"]).flatten(1)], 1))
        actions = actions.reshape(len(states), 5, self.action_dim)
        noise = torch.stack([torch.randn(5, self.action_dim, generator=g) for g in generators])
        drift = torch.tensor([0.1 * (state or 0) for state in states])[:, None, None]
        return (actions + noise + drift).numpy(), [(state or 0) + 1 for state in states]
