"""The words that every room shares.

Axis legend, used in all shape strings:

    b  batch            h w    pixels of a frame        da  action dimension
    t  time             gh gw  cells of a feature grid  d   any other vector
    to observation steps (history, the last one is now)
    ta action steps      (chunk, the first one is now)
    c  channels          n     tokens

Images outside an encoder are uint8 "h w 3", top row first. A camera `agentview` is observed under the
key `agentview_image`; in a batch that key holds the camera's *features*, never its pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

IMAGE_SUFFIX = "_image"
PREFIX_SUFFIX = "_prefix"


def image_key(camera: str) -> str:
    """Observation key of a camera: `agentview` -> `agentview_image`."""
    return camera + IMAGE_SUFFIX


def prefix_key(camera: str) -> str:
    """Key of a camera's prefix tokens in a batch: `agentview` -> `agentview_prefix`."""
    return camera + PREFIX_SUFFIX


def camera_of(image_key: str) -> str:
    """The camera that is observed under a key: `agentview_image` -> `agentview`."""
    return image_key.removesuffix(IMAGE_SUFFIX)


class Features(NamedTuple):
    """What an encoder sees: a grid of features and, where it has them, prefix tokens (class, registers).

    Gathered for training windows, "b" is "b to".
    """

    map: Float[Tensor, "b c gh gw"]
    prefix: Float[Tensor, "b p c"] | None = None


@dataclass(frozen=True)
class Spec:
    """What flows in and out of a policy, read off a dataset and its features, kept in the checkpoint."""

    env_id: str
    env_kwargs: dict[str, Any]  # with these `gymnasium.make` observes what the dataset observed
    action_dim: int
    proprio: dict[str, int]  # observation key -> dimension
    images: dict[str, tuple[int, int]]  # image key -> (h, w) of the frames
    features: dict[str, tuple[int, int, int]]  # image key -> (c, gh, gw)
    scales: dict[str, int] = field(
        default_factory=dict
    )  # image key -> scales concatenated in c, 1 if not here
    prefix: dict[str, tuple[int, int]] = field(default_factory=dict)  # prefix key -> (p, c), if there are any
    # image key -> axes of (h, w, 3) along which recorded frames were flipped to be upright, if any were
    flips: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `flips` only where there are any, so that checkpoints are as they were before it."""
        return {key: value for key, value in asdict(self).items() if value or key != "flips"}

    @staticmethod
    def from_dict(plain: Mapping[str, Any]) -> "Spec":
        """Inverse of `to_dict`, from what JSON gives back (lists for tuples)."""
        values = dict(plain)
        values["images"] = {k: tuple(v) for k, v in plain["images"].items()}
        values["features"] = {k: tuple(v) for k, v in plain["features"].items()}
        values["prefix"] = {k: tuple(v) for k, v in plain.get("prefix", {}).items()}
        values["flips"] = {k: tuple(v) for k, v in plain.get("flips", {}).items()}
        return Spec(**values)


@dataclass
class Batch:
    """Training windows: what was seen up to now and what the expert did from now on."""

    # image key -> "b to c gh gw", proprioception -> "b to d", prefix key -> "b to p c" for heads that read it
    obs: dict[str, Float[Tensor, "b to ..."]]
    actions: Float[Tensor, "b ta da"]
    mask: Bool[Tensor, "b ta"]  # False beyond the end of the episode
    windows: Int[Tensor, "b"]  # which windows of the dataset these are, for messages
    # What was done since before the first observation; zeros and False before the start of the episode:
    past_actions: Float[Tensor, "b tp da"]  # tp = to * (environment steps between observations)
    past_mask: Bool[Tensor, "b tp"]

    def pin_memory(self) -> "Batch":
        """The batch in page-locked memory, from where copies to a GPU do not block."""
        return self._each(_pinned)

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device; `windows` stay where they are."""
        return self._each(lambda values: values.to(device, non_blocking=True))

    def _each(self, move: Callable[[Tensor], Tensor]) -> "Batch":
        return Batch(
            obs={key: move(values) for key, values in self.obs.items()},
            actions=move(self.actions),
            mask=move(self.mask),
            windows=self.windows,
            past_actions=move(self.past_actions),
            past_mask=move(self.past_mask),
        )


def _pinned(values: Tensor) -> Tensor:
    """A contiguous copy, since others block when they move on; maps gathered with prefix tokens are not."""
    return torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values)


class Actor(Protocol):
    """Whatever rollouts can act with: a trained policy with its eyes, or anything a test makes up.

    `act` is given the last `obs_steps` raw observations of each episode and returns a chunk of which
    the first `action_steps` are executed before it is asked again (receding horizon).
    """

    obs_keys: tuple[str, ...]
    obs_steps: int
    action_steps: int

    def act(
        self,
        obs: Mapping[str, np.ndarray],  # "b to ...": images uint8 "b to h w 3", proprioception "b to d"
        states: Sequence[Any],  # "b", None at an episode's first call
        generators: Sequence[torch.Generator],  # "b", one an episode
    ) -> tuple[Float[np.ndarray, "b ta da"], list[Any]]: ...
