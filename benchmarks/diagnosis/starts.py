"""How well what stands on the table is located in the first frame, by how many starts a probe was shown.

In demonstrations the goal stands still: each is one place of it, however many frames it has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from diagnosis.demonstrations import make
from diagnosis.state import OBJECT, PROPRIO, Description
from torch import Tensor, nn

from s2robot.commands.cli.entry import options_of
from s2robot.encoders.cameras import CameraEncoders
from s2robot.policies.heads import HEADS, CameraShape
from s2robot.policies.normalizer import Normalizer

FIRST_SEED = 200_000
HIDDEN, BATCH, ENCODED = 256, 32, 16
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 1e-2
DEVICE = torch.device("cpu")


@dataclass(frozen=True)
class Starts:
    """The first frames of episodes as stored features "n c gh gw", with what they show."""

    maps: Tensor
    scales: int
    seen: np.ndarray  # "n d", see `Description.seen`
    grip: np.ndarray  # "n 3"


def look(env_id: str, description: Description, camera: str, count: int, words: Sequence[str]) -> Starts:
    """Reset an environment so often; `words` are options of the encoder as `s2robot train` takes them."""
    config = options_of("train", ["data.path=none", "run_dir=none", *words])
    encoders = CameraEncoders.from_config(config.encoder, DEVICE)
    env = make(env_id)
    maps, states, grips = [], [], []
    for first in range(0, count, ENCODED):
        frames = []
        for i in range(first, min(first + ENCODED, count)):
            env.reset(seed=FIRST_SEED + i)
            obs = env.unwrapped.observe((camera,))
            frames.append(obs[f"{camera}_image"])
            states.append(obs[OBJECT])
            grips.append(obs[PROPRIO[0]])
        maps.append(encoders.encode(camera, np.stack(frames)).map.half())
    env.close()
    scales = len(encoders.encoder(camera).spec.sizes)
    return Starts(torch.cat(maps), scales, description.seen(np.stack(states)), np.stack(grips))


def errors(
    description: Description, starts: Starts, train: int, test: int, steps: int, words: Sequence[str]
) -> dict[str, float]:
    """Median errors in the last `test` starts of a head and a perceptron trained on the first `train`."""
    torch.manual_seed(0)
    config = options_of("train", ["data.path=none", "run_dir=none", *words]).policy
    channels, *grid = starts.maps.shape[1:]
    head = HEADS[config.head](CameraShape(channels, (grid[0], grid[1]), starts.scales), **config.head_args)
    shown = starts.maps[:train]
    head.fit(shown.float().mean((0, 2, 3)), shown.float().std((0, 2, 3)))
    target = torch.as_tensor(starts.seen, dtype=torch.float32)
    scale = Normalizer(target.shape[1]).fit(target[:train], "gaussian")
    read = nn.Sequential(nn.Linear(head.dim, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, target.shape[1]))
    probe = nn.Sequential(head, read)
    optimiser = torch.optim.AdamW(probe.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2 * LEARNING_RATE, steps)
    for _ in range(steps):
        rows = torch.randint(train, (BATCH,))
        loss = nn.functional.smooth_l1_loss(probe(shown[rows]), scale(target[rows]), beta=0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    probe.eval()
    with torch.inference_mode():
        found = torch.cat([scale.denormalize(probe(part)) for part in starts.maps[-test:].split(BATCH)])
    return description.errors(found.numpy(), starts.seen[-test:], starts.grip[-test:])
