"""Training windows over cached features: what was observed up to now, what the expert did from now on.

Everything a window needs is an index into arrays that are already in memory (or mapped, or on the
GPU), so a batch is a handful of gathers: no worker processes, no pixels, no decoding.

    frame    0   1   2   3   4   5   6   7 | next episode
                 o   o                         obs_steps = 2, now = 2
                     a   a   a   a             horizon = 4
    at the start of an episode its first frame is repeated; beyond its end the last action is
    repeated and masked
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from s2robot.types import Batch, Features, Observation


@runtime_checkable
class Demonstrations(Protocol):
    """The part of a dataset that windows read; frames are numbered through all episodes."""

    offsets: Int[np.ndarray, "m"]  # first frame of each episode, and the end

    def proprioception(self) -> Mapping[str, Float[np.ndarray, "n _"]]: ...

    def actions(self) -> Float[np.ndarray, "n da"]: ...

    def executed_actions(self) -> Float[np.ndarray, "n da"] | None:
        """What was executed, where it was recorded beside the actions to imitate."""


@runtime_checkable
class FeatureGather(Protocol):
    """The part of a feature table that windows read."""

    @property
    def views(self) -> int: ...

    def gather(self, frames: Int[Tensor, "b to"], views: Int[Tensor, "b"] | None = None) -> Features: ...

    def read_ahead(self, frames: Int[Tensor, "b to"], views: Int[Tensor, "b"] | None = None) -> None: ...


@runtime_checkable
class WindowOptions(Protocol):
    """The part of a policy's options that shapes its windows."""

    obs_steps: int
    horizon: int

    @property
    def obs_stride(self) -> int:
        """Environment steps from one observation to the next."""

    @property
    def reads_prefix(self) -> bool:
        """Whether batches hold the prefix tokens, too."""

    @property
    def reads_executed(self) -> bool:
        """Whether what was executed is read."""

    @property
    def foreseen(self) -> Sequence[int]:
        """How many steps ahead proprioception is read as well; a negative number: in the last frame."""


class Windows:
    """All windows of the given episodes: one for each frame that can be "now"."""

    def __init__(
        self,
        dataset: Demonstrations,
        features: Mapping[str, FeatureGather],  # of each camera, a table over all frames
        config: WindowOptions,
        episodes: Sequence[int],
        device: torch.device | str = "cpu",
        weights: np.ndarray | None = None,  # "n" over all frames: how often each is drawn; None: alike
    ) -> None:
        self.features, self.prefix = dict(features), config.reads_prefix
        self.proprio = {
            key: torch.as_tensor(values, device=device) for key, values in dataset.proprioception().items()
        }
        self.actions = torch.as_tensor(dataset.actions(), device=device)
        executed = dataset.executed_actions() if config.reads_executed else None
        self.executed = None if executed is None else torch.as_tensor(executed, device=device)
        now, start, end = [], [], []
        for episode in episodes:
            first, stop = int(dataset.offsets[episode]), int(dataset.offsets[episode + 1])
            now.append(torch.arange(first, stop))
            start.append(torch.full((stop - first,), first))
            end.append(torch.full((stop - first,), stop))
        empty = [torch.empty(0, dtype=torch.long)]
        self._now = torch.cat(now or empty).to(device)  # w
        # "w", running sum of the windows' weights on the CPU, None where all are alike
        self.cumulative = None
        if weights is not None and len(self._now):
            self.cumulative = torch.from_numpy(weights).double()[self._now.cpu()].cumsum(0)
        self._start = torch.cat(start or empty).to(device)  # w
        self._end = torch.cat(end or empty).to(device)  # w
        back = config.obs_steps * config.obs_stride
        self._back = torch.arange(config.obs_stride - back, 1, config.obs_stride, device=device)  # to
        self._past = torch.arange(-back, 0, device=device)  # tp
        self._ahead = torch.arange(config.horizon, device=device)  # ta
        longest = int(np.diff(dataset.offsets).max(initial=0))  # beyond the end of any episode
        steps = [longest if step < 0 else step for step in config.foreseen]
        self._later = torch.tensor(steps, dtype=torch.long, device=device)  # tf

    def __len__(self) -> int:
        return len(self._now)

    def frame(self, window: int) -> int:
        """The frame that is "now" in a window, counted through the dataset."""
        return int(self._now[window])

    @property
    def views(self) -> int:
        """How many views there are of every camera's frames."""
        return min((table.views for table in self.features.values()), default=1)

    def read_ahead(self, windows: Int[Tensor, "b"], views: Int[Tensor, "b"] | None = None) -> None:
        """Let the features of these windows be read from the disk, without waiting for them."""
        for table in self.features.values():
            table.read_ahead(self._seen(windows), views)

    def batch(self, windows: Int[Tensor, "b"], views: Int[Tensor, "b"] | None = None) -> Batch:
        """Gather a batch, with the frames of each window in its view (0 unless given).

        Nothing is shared with the dataset: the batch may be moved and kept.
        """
        now, start, end = self._now[windows], self._start[windows], self._end[windows]
        seen = self._seen(windows)  # b to
        ahead = now[:, None] + self._ahead  # b ta
        past = now[:, None] + self._past  # b tp
        past_mask = past >= start[:, None]
        past_frames = torch.maximum(past, start[:, None])
        past_actions = self.actions[past_frames] * past_mask[..., None]
        return Batch(
            obs=Observation(
                features={
                    camera: self._gather(table, seen, views) for camera, table in self.features.items()
                },
                proprio={key: values[seen] for key, values in self.proprio.items()},
            ),
            actions=self.actions[torch.minimum(ahead, end[:, None] - 1)],
            mask=ahead < end[:, None],
            windows=windows,
            past_actions=past_actions,
            past_mask=past_mask,
            executed=past_actions
            if self.executed is None
            else self.executed[past_frames] * past_mask[..., None],
            future=self._future(now, end),
        )

    def _gather(
        self, table: FeatureGather, seen: Int[Tensor, "b to"], views: Int[Tensor, "b"] | None
    ) -> Features:
        features = table.gather(seen, views)
        return features if self.prefix else Features(features.map)

    def _future(self, now: Int[Tensor, "b"], end: Int[Tensor, "b"]) -> dict[str, Tensor]:
        """Proprioception of the frames to foresee, "b tf _" of each key; beyond the end that of the last."""
        if not len(self._later):
            return {}
        frames = torch.minimum(now[:, None] + self._later, end[:, None] - 1)  # b tf
        return {key: values[frames] for key, values in self.proprio.items()}

    def _seen(self, windows: Int[Tensor, "b"]) -> Int[Tensor, "b to"]:
        """The frames that are observed; at the start of an episode its first one is repeated."""
        return torch.maximum(self._now[windows][:, None] + self._back, self._start[windows][:, None])
