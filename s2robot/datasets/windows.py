"""Training windows over cached features: what was seen up to now, what the expert did from now on.

Everything a window needs is an index into arrays that are already in memory (or mapped, or on the
GPU), so a batch is a handful of gathers: no worker processes, no pixels, no decoding.

    frame    0   1   2   3   4   5   6   7 | next episode
                 o   o                         obs_steps = 2, now = 2
                     a   a   a   a             horizon = 4
    at the start of an episode its first frame is repeated; beyond its end the last action is
    repeated and masked
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from s2robot.types import Batch, Features, camera_of, prefix_key


class FeatureGather(Protocol):
    """The part of a feature table that windows read."""

    @property
    def views(self) -> int: ...

    def gather(self, frames: Int[Tensor, "b to"], views: Int[Tensor, "b"] | None = None) -> Features: ...

    def read_ahead(self, frames: Int[Tensor, "b to"], views: Int[Tensor, "b"] | None = None) -> None: ...


class Windows:
    """All windows of the given episodes: one for each frame that can be "now"."""

    def __init__(
        self,
        features: Mapping[str, FeatureGather],  # image key -> table over all frames
        proprio: Mapping[str, np.ndarray],  # key -> "n d" over all frames
        actions: np.ndarray,  # "n da" over all frames
        offsets: np.ndarray,  # first frame of each episode, and the end: "episodes + 1"
        episodes: Sequence[int],
        obs_steps: int,
        horizon: int,
        device: torch.device | str = "cpu",
        obs_stride: int = 1,  # environment steps from one observation to the next
        prefix: bool = False,  # whether batches hold the prefix tokens, too
        weights: np.ndarray | None = None,  # "n" over all frames: how often each is drawn; None: alike
    ) -> None:
        self.features, self.prefix = dict(features), prefix
        self.proprio = {key: torch.as_tensor(values, device=device) for key, values in proprio.items()}
        self.actions = torch.as_tensor(actions, device=device)
        now, start, end = [], [], []
        for episode in episodes:
            first, stop = int(offsets[episode]), int(offsets[episode + 1])
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
        self._back = torch.arange(1 - obs_steps, 1, device=device) * obs_stride  # to
        self._past = torch.arange(-obs_steps * obs_stride, 0, device=device)  # tp
        self._ahead = torch.arange(horizon, device=device)  # ta

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
        obs = {key: values[seen] for key, values in self.proprio.items()}
        for key, table in self.features.items():
            features = table.gather(seen, views)
            obs[key] = features.map
            if self.prefix and features.prefix is not None:
                obs[prefix_key(camera_of(key))] = features.prefix
        past = now[:, None] + self._past  # b tp
        past_mask = past >= start[:, None]
        return Batch(
            obs=obs,
            actions=self.actions[torch.minimum(ahead, end[:, None] - 1)],
            mask=ahead < end[:, None],
            windows=windows,
            past_actions=self.actions[torch.maximum(past, start[:, None])] * past_mask[..., None],
            past_mask=past_mask,
        )

    def _seen(self, windows: Int[Tensor, "b"]) -> Int[Tensor, "b to"]:
        """The frames that are observed; at the start of an episode its first one is repeated."""
        return torch.maximum(self._now[windows][:, None] + self._back, self._start[windows][:, None])
