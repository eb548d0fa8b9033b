"""How well the state can be read off the stored features, by a head and a small network behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diagnosis.imitation import Imitation
from diagnosis.state import OBJECT, PROPRIO, Description
from torch import Tensor, nn

from s2robot.commands.cli.entry import options_of
from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.encoders.cameras import CameraEncoders
from s2robot.features import FeatureTable, build, place
from s2robot.policies import PolicyConfig
from s2robot.policies.normalizer import Normalizer
from s2robot.policies.observation import ObservationEncoder
from s2robot.training.statistics import statistics_of
from s2robot.types import Features, Observation, Spec

HIDDEN = 256
BATCH = 64
LEARNING_RATE = 1e-3
DEVICE = torch.device("cpu")


class Probe(nn.Module):
    """Observations of one step to what `Description.seen` gives, "b d"."""

    def __init__(self, spec: Spec, config: PolicyConfig, seen: Tensor) -> None:
        super().__init__()
        self.observe = ObservationEncoder(spec, config.head, config.head_args)
        self.seen = Normalizer(seen.shape[1]).fit(seen, "gaussian")
        self.net = nn.Sequential(
            nn.Linear(self.observe.dim, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, seen.shape[1])
        )

    def forward(self, obs: Observation) -> Tensor:
        """Normalised estimates."""
        return self.net(self.observe(obs)[:, 0])

    @torch.inference_mode()
    def estimate(self, obs: Observation) -> np.ndarray:
        return self.seen.denormalize(self(obs)).numpy()


@dataclass(frozen=True)
class Probed:
    """A trained probe with its encoders, and its errors in the validation episodes."""

    probe: Probe
    encoders: CameraEncoders
    errors: dict[str, float]


def probed(description: Description, words: Sequence[str], steps: int) -> Probed:
    """Train a probe on a dataset's training episodes; `words` are options as `s2robot train` takes them."""
    torch.manual_seed(0)
    config = options_of("train", words)
    dataset = open_dataset(config.data)
    train, valid = dataset.splits(config.data.train, config.data.valid)
    encoders = CameraEncoders.from_config(config.encoder, DEVICE)
    used = [*train, *valid]
    stored = {c: build(dataset, c, encoders, config.features, False, used) for c in dataset.cameras}
    features = place(stored, DEVICE)
    seen = torch.as_tensor(description.seen(dataset.low_dim(OBJECT)), dtype=torch.float32)

    frames = torch.as_tensor(dataset.frames_of(train))
    spec = Spec.read(dataset, encoders, list(dataset.cameras))
    probe = Probe(spec, config.policy, seen[frames])
    probe.observe.fit(statistics_of(dataset, features, train))
    optimiser = torch.optim.AdamW(probe.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        rows = frames[torch.randint(len(frames), (BATCH,))]
        target = probe.seen(seen[rows])
        loss = nn.functional.smooth_l1_loss(probe(_observation(dataset, features, rows)), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    probe.eval()
    rows = torch.as_tensor(dataset.frames_of(valid))
    estimated = [probe.estimate(_observation(dataset, features, part)) for part in rows.split(BATCH)]
    grip = dataset.proprioception()[PROPRIO[0]][rows.numpy()]
    return Probed(probe, encoders, description.errors(np.concatenate(estimated), seen[rows].numpy(), grip))


@dataclass(frozen=True)
class FromCameras:
    """Decides from the state that a probe reads off the cameras."""

    model: Imitation
    description: Description
    probed: Probed
    seed: int = 0

    def __call__(self, task: Any, obs: Mapping[str, np.ndarray]) -> np.ndarray:
        cameras, encoders = tuple(self.probed.probe.observe.module_of), self.probed.encoders
        frames = task.observe(cameras)
        with torch.inference_mode():
            maps = {c: encoders.encode(c, frames[f"{c}_image"][None]).map[:, None] for c in cameras}
        proprio = {key: torch.as_tensor(obs[key], dtype=torch.float32)[None, None] for key in PROPRIO}
        step = Observation({c: Features(one) for c, one in maps.items()}, proprio)
        seen = self.probed.probe.estimate(step)[0]
        return self.model.act(self.description.inputs(obs, seen))


def _observation(dataset: Dataset, features: Mapping[str, FeatureTable], frames: Tensor) -> Observation:
    """These frames "b", as observations of one step."""
    proprio = {
        key: torch.as_tensor(values)[frames][:, None] for key, values in dataset.proprioception().items()
    }
    return Observation({c: table.gather(frames[:, None]) for c, table in features.items()}, proprio)
