"""A multi-layer perceptron that imitates the expert from vectors."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from s2robot.policies.normalizer import Normalizer

HORIZON = 8  # actions predicted at once, as the registered policies do
HIDDEN = 512
BATCH = 256
LEARNING_RATE = 1e-3


class Imitation(nn.Module):
    """States "b s" to action chunks "b HORIZON 7"; normalisation is part of it."""

    def __init__(self, states: Tensor, actions: Tensor) -> None:
        super().__init__()
        self.states = Normalizer(states.shape[1]).fit(states, "gaussian")
        self.actions = Normalizer(actions.shape[1]).fit(actions, "gaussian")
        self.net = nn.Sequential(
            nn.Linear(states.shape[1], HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HORIZON * actions.shape[1]),
        )

    def forward(self, states: Tensor) -> Tensor:
        """Normalised actions."""
        return self.net(self.states(states)).unflatten(-1, (HORIZON, -1))

    @torch.inference_mode()
    def act(self, state: np.ndarray) -> np.ndarray:
        """The chunk (HORIZON, 7) for one state (s,), in the environment's units."""
        return self.actions.denormalize(self(torch.as_tensor(state, dtype=torch.float32)[None])[0]).numpy()


def imitate(
    states: Sequence[np.ndarray], actions: Sequence[np.ndarray], steps: int, seed: int = 0
) -> Imitation:
    """Fit to episodes; L1 of normalised actions, past an episode's end its last action."""
    torch.manual_seed(seed)
    inputs = torch.as_tensor(np.concatenate(states), dtype=torch.float32)
    model = Imitation(inputs, torch.as_tensor(np.concatenate(actions), dtype=torch.float32))
    chunks = torch.as_tensor(np.concatenate([_chunks(one) for one in actions]), dtype=torch.float32)
    targets = model.actions(chunks)
    optimiser = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        rows = torch.randint(len(inputs), (BATCH,))
        loss = (model(inputs[rows]) - targets[rows]).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def _chunks(actions: np.ndarray) -> np.ndarray:
    """The HORIZON actions from each step on, (n, HORIZON, 7)."""
    at = np.arange(len(actions))[:, None] + np.arange(HORIZON)
    return actions[np.minimum(at, len(actions) - 1)]
